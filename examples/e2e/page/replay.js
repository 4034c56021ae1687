/**
 * The page that replays a recorded connection: the frames of a client that is in no registry, sent by a real browser.
 * The driver calls the functions of `window.e2e`.
 */
import { until } from './until.js';

/** Sends `frames` to `url` under `subprotocol`, then closes as the client does; returns what the server answered. */
async function replay({ url, subprotocol, frames }) {
    const socket = new WebSocket(url, subprotocol);
    let received = 0;
    let closed = null;

    socket.onmessage = () => { received += 1; };
    socket.onclose = event => { closed = event; };
    await until(() => closed || socket.readyState === WebSocket.OPEN, 15000, 'the connection');
    const chosen = socket.protocol;

    frames.forEach(frame => socket.send(frame));
    socket.close();
    await until(() => closed, 15000, 'the close handshake');

    return { subprotocol: chosen, received, closeCode: closed.code };
}

window.e2e = {
    replay,
    log: () => ({ userAgent: navigator.userAgent, origin: location.origin })
};
