/** The page of one session, live or finished. */
import { mountView } from './session-view.js';

const [ , , id = '' ] = location.pathname.split('/');

mountView(document.getElementById('main'), {
    id: decoded(id),
    onTitle: name => {
        document.title = `${name} · rtcstats`;
    }
});

/** The id as it is; what is no encoded text stays, and is no session. */
function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}
