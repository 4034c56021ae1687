/**
 * What passes over the client's WebSockets, watched from a subclass: the client only sees a `WebSocket`.
 */

/** A frame ends with its entry's number: `…,17]"}` for stats-entry (JSON in JSON), `…,1]}` for identity. */
const NUMBER_AT_END = /,(\d+)\]"?\}$/;

/**
 * Replaces `window.WebSocket`; call it before the client connects. Returns the growing record.
 *
 * `ready` means that the current socket got its `initial` message, so that the client sends.
 */
export function observeSockets() {
    const Stock = window.WebSocket;
    const record = { sessionId: null, urls: [], initials: [], acks: [], closeCodes: [], timesSent: new Map(),
        ready: false, lastAcknowledged: 0, problems: [] };

    /** Notes one `sn` message. */
    function received({ type, body }) {
        if (type !== 'sn') {
            return;
        }
        if (body.value !== 0 && !record.timesSent.has(body.value)) {
            record.problems.push(`the server acknowledged ${body.value}, which was never sent`);
        }
        record.lastAcknowledged = Math.max(record.lastAcknowledged, body.value);
        if (body.state === 'initial') {
            record.initials.push(body.value);
            record.ready = true;
        } else {
            record.acks.push(body.value);
        }
    }

    window.WebSocket = class ObservedWebSocket extends Stock {
        constructor(url, ...rest) {
            super(url, ...rest);
            record.urls.push(url);
            record.sessionId = new URL(url).searchParams.get('statsSessionId');
            this.addEventListener('message', message => received(JSON.parse(message.data)));
            this.addEventListener('close', event => {
                record.ready = false;
                record.closeCodes.push(event.code);
            });
        }

        send(frame) {
            const number = Number(NUMBER_AT_END.exec(frame)?.[1]);

            if (number) {
                record.timesSent.set(number, (record.timesSent.get(number) ?? 0) + 1);
            }
            super.send(frame);
        }
    };

    return record;
}
