/** The page that shows a dump as if it were a session. */
import { element, setText } from './elements.js';
import { formatNumber } from './quantities.js';
import { mountView } from './session-view.js';
import { Upload } from './upload.js';

const PATH = '/api/import';
const STORE_PATH = '/api/import?store=true';

/** What the file chooser offers first; any file can be chosen. */
const ENDINGS = '.gz,.json,.txt,.log,.jsonl,.ndjson,.zst,.dump';

class ImportPage {
    #main;
    #file = null;
    #view = null;
    #upload = null;
    #status = element('p', { role: 'status' });
    #error = element('p', { class: 'error', role: 'alert' });
    #progress = element('progress', { max: 1, 'aria-label': 'Upload' });
    #result = element('div', {});

    constructor(main) {
        this.#main = main;
        this.input = element('input', { type: 'file', id: 'file', accept: ENDINGS, onchange: () => this.#choose(this.input.files) });
        this.cancel = element('button', { type: 'button', onclick: () => this.#cancel() }, 'Cancel');
        this.progressText = element('span', {});
        this.busy = element('div', { class: 'upload', hidden: true }, this.#progress, this.progressText, this.cancel);
        this.storing = element('p', { class: 'storing', hidden: true },
            element('span', {}, 'Nothing of this file is stored. '),
            element('button', { type: 'button', onclick: () => this.#store() }, 'Store it as a session'));
        this.zone = element('div', { class: 'drop' },
            element('label', { for: 'file' }, 'Choose a dump, or drop it here'), this.input,
            element('p', { class: 'muted' }, 'Dumps of all rtcstats clients and servers and exports of chrome://webrtc-internals, '
                + 'as text or JSON, also compressed (.gz). The file is read by this server, and nothing of it is stored '
                + 'unless you ask for it.'));
    }

    show() {
        this.#main.replaceChildren(element('h1', {}, 'Import a dump'), this.zone, this.busy, this.#status, this.#error,
            this.storing, this.#result);
        // The whole window takes files, so that a near miss does not leave the page.
        window.addEventListener('dragover', event => {
            event.preventDefault();
            this.zone.classList.add('over');
        });
        window.addEventListener('dragleave', event => {
            if (!event.relatedTarget) {
                this.zone.classList.remove('over');
            }
        });
        window.addEventListener('drop', event => {
            event.preventDefault();
            this.zone.classList.remove('over');
            this.#choose(event.dataTransfer.files);
        });
    }

    #choose(files) {
        const [ file ] = files;

        if (file) {
            this.#file = file;
            this.#show();
        }
    }

    async #show() {
        this.#upload?.cancel();
        this.#view?.close();
        this.#view = null;
        this.storing.hidden = true;
        const view = await this.#send(PATH, 'Reading');

        if (view) {
            setText(this.#status, `${this.#file.name}, ${formatNumber(this.#file.size, 'B')}`);
            this.storing.hidden = false;
            // It has no id of its own.
            this.#view = mountView(this.#result, { view: { ...view, session: { ...view.session, id: this.#file.name } } });
        }
    }

    async #store() {
        this.storing.hidden = true;
        const stored = await this.#send(STORE_PATH, 'Storing');
        const id = stored?.session?.id ?? stored?.id;

        if (!id) {
            this.storing.hidden = false;

            return;
        }
        const link = element('a', { href: `/sessions/${encodeURIComponent(id)}${this.#view?.hash() ?? ''}` }, id);

        this.#status.replaceChildren('Stored as session ', link);
    }

    #cancel() {
        this.#upload?.cancel();
    }

    /** Sends the file; `null` if nothing came of it, which the page says by then. */
    async #send(path, what) {
        const { name, size } = this.#file;
        const upload = new Upload(path, this.#file, sent => {
            if (sent < size) {
                this.#progress.value = sent / Math.max(1, size);
                setText(this.progressText, `${formatNumber(sent, 'B')} of ${formatNumber(size, 'B')}`);
            } else {
                // How long the server takes is not known.
                this.#progress.removeAttribute('value');
                setText(this.progressText, `${what} ${name}`);
            }
        });

        this.#upload = upload;
        setText(this.#error, '');
        setText(this.#status, '');
        this.busy.hidden = false;
        this.input.disabled = true;
        try {
            return await upload.answer;
        } catch (error) {
            // Another file may have taken its place.
            if (this.#upload === upload) {
                setText(this.#error, error.message);
            }

            return null;
        } finally {
            if (this.#upload === upload) {
                this.busy.hidden = true;
                this.input.disabled = false;
                this.input.value = '';
            }
        }
    }
}

new ImportPage(document.getElementById('main')).show();
