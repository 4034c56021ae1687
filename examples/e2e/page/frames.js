/**
 * What the page sends over its WebSockets, watched from a subclass: the client only sees a `WebSocket`.
 */

/**
 * Replaces `window.WebSocket`; call it before the client connects. Returns the growing record: the text of each frame,
 * sockets made, close codes, messages received, and the newest socket's `readyState` as `state`.
 */
export function observeFrames() {
    const Stock = window.WebSocket;
    let newest = null;
    const record = { frames: [], sockets: 0, closeCodes: [], received: 0,
        get state() { return newest?.readyState ?? Stock.CONNECTING; },
        get subprotocol() { return newest?.protocol; } };

    window.WebSocket = class ObservedWebSocket extends Stock {
        constructor(...args) {
            super(...args);
            newest = this;
            record.sockets += 1;
            this.addEventListener('message', () => { record.received += 1; });
            this.addEventListener('close', event => record.closeCodes.push(event.code));
        }

        send(frame) {
            record.frames.push(frame);
            super.send(frame);
        }
    };

    return record;
}
