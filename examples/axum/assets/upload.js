/** A file on its way to the server. */

/** Sends one file; it is read from the disk as it goes. */
export class Upload {
    #request = new XMLHttpRequest();

    /**
     * @param {string} path
     * @param {Blob} file
     * @param {(sent: number) => void} onProgress hears how many bytes are sent
     */
    constructor(path, file, onProgress) {
        const request = this.#request;

        /** What the server answers. */
        this.answer = new Promise((resolve, reject) => {
            request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded));
            request.upload.addEventListener('load', () => onProgress(file.size));
            request.addEventListener('load', () => {
                if (request.status >= 200 && request.status < 300 && request.response) {
                    resolve(request.response);
                } else {
                    reject(new Error(request.response?.error ?? `The server answered ${request.status}.`));
                }
            });
            request.addEventListener('error', () => reject(new Error('The server cannot be reached, or ended the upload.')));
            request.addEventListener('abort', () => reject(new Error('Cancelled.')));
        });
        request.open('POST', path);
        request.responseType = 'json';
        request.setRequestHeader('Content-Type', 'application/octet-stream');
        onProgress(0);
        request.send(file);
    }

    cancel() {
        this.#request.abort();
    }
}
