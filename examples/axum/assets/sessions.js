/** The page of all sessions: search, sort, turn pages; live ones move on. */
import { element, setText } from './elements.js';
import { ListQuery, MOST_TEXT, SIZES, SORTS, STATES } from './list-query.js';
import { SessionTable } from './session-table.js';

/** How long typing rests before it is searched for. */
const REST_MS = 250;

/** How often the list is asked for again: while a session on it is open, and else. */
const LIVE_MS = 3000;
const CALM_MS = 10_000;

/** Longest wait for the server. */
const PATIENCE_MS = 20_000;

class SessionsPage {
    #query = ListQuery.of(location.search);
    #total = 0;
    #isTyping = false;
    #rest = null;
    #timer = null;
    #request = null;
    #shown = null;

    #text = element('input', { type: 'search', id: 'q', maxlength: MOST_TEXT, autocomplete: 'off', spellcheck: 'false',
        placeholder: 'Conference, user, browser, id …' });
    #state = choice('state', STATES);
    #sort = choice('sort', SORTS);
    #order = choice('order', [ [ 'asc', 'Ascending' ], [ 'desc', 'Descending' ] ]);
    #size = choice('size', SIZES.map(size => [ String(size), String(size) ]));
    #table = new SessionTable(sort => this.#go(this.#query.sortedBy(sort)));
    #scroll = element('div', { class: 'scroll', role: 'region', 'aria-label': 'List of sessions' }, this.#table.element);
    #range = element('p', { class: 'list-range' });
    #said = element('p', { class: 'unseen', role: 'status' });
    #error = element('p', { class: 'error', role: 'alert' });
    #empty = element('div', { class: 'list-empty', hidden: true });
    #pages = [
        [ 'First', () => 1 ],
        [ 'Previous', () => this.#query.page - 1 ],
        [ 'Next', () => this.#query.page + 1 ],
        [ 'Last', () => this.#lastPage() ]
    ].map(([ name, target ]) => ({
        name,
        target,
        button: element('button', { type: 'button', onclick: () => this.#go(this.#query.with({ page: target() })) }, name)
    }));
    #page = element('span', {});
    #pager = element('nav', { class: 'pager', 'aria-label': 'Pages of the list' },
        this.#pages.slice(0, 2).map(({ button }) => button), this.#page, this.#pages.slice(2).map(({ button }) => button),
        labelled('Rows', this.#size));

    /** Fills the page, and keeps it up to date. */
    open(main) {
        const search = element('form', { role: 'search', class: 'filters', onsubmit: event => this.#submit(event) },
            labelled('Search', this.#text), labelled('State', this.#state),
            element('span', { class: 'narrow sorting' }, labelled('Sort', this.#sort), labelled('Order', this.#order)));

        main.replaceChildren(element('h1', {}, 'Sessions'), search, this.#error, this.#said, this.#range, this.#scroll,
            this.#empty, this.#pager);
        this.#text.addEventListener('input', () => this.#type());
        this.#text.addEventListener('blur', () => {
            this.#isTyping = false;
        });
        this.#state.addEventListener('change', () => this.#go(this.#query.with({ state: this.#state.value })));
        this.#sort.addEventListener('change', () => this.#go(this.#query.sortedBy(this.#sort.value)));
        this.#order.addEventListener('change', () => this.#go(this.#query.with({ order: this.#order.value })));
        this.#size.addEventListener('change', () => this.#go(this.#query.with({ size: Number(this.#size.value) })));
        window.addEventListener('popstate', () => {
            clearTimeout(this.#rest);
            this.#isTyping = false;
            this.#load(ListQuery.of(location.search));
        });
        document.addEventListener('visibilitychange', () => {
            if (document.visibilityState === 'visible') {
                this.#load(this.#query);
            }
        });
        this.#load(this.#query);
    }

    #submit(event) {
        event.preventDefault();
        this.#search();
        this.#isTyping = false;
    }

    #type() {
        clearTimeout(this.#rest);
        this.#rest = setTimeout(() => this.#search(), REST_MS);
    }

    /** What is typed in one go is one step back. */
    #search() {
        clearTimeout(this.#rest);
        const text = this.#text.value.slice(0, MOST_TEXT);

        if (text !== this.#query.text) {
            this.#go(this.#query.with({ text }), this.#isTyping);
            this.#isTyping = true;
        }
    }

    /** Shows another list, and has it in the address; with `isSameStep` in place of the one before. */
    #go(query, isSameStep = false) {
        const target = location.pathname + query.search;

        if (isSameStep) {
            history.replaceState(null, '', target);
        } else {
            history.pushState(null, '', target);
        }
        this.#load(query);
    }

    async #load(query) {
        clearTimeout(this.#timer);
        this.#request?.abort();
        const request = new AbortController();
        const isNew = query !== this.#shown;

        this.#request = request;
        this.#query = query;
        this.#fillControls();
        this.#scroll.setAttribute('aria-busy', String(isNew));
        try {
            const { total, sessions } = await ask(query.source, request.signal);

            setText(this.#error, '');
            this.#total = total;
            if (!sessions.length && total && query.page > this.#lastPage()) {
                this.#go(query.with({ page: this.#lastPage() }), true);

                return;
            }
            this.#show(query, sessions);
            this.#shown = query;
            if (isNew) {
                setText(this.#said, this.#range.textContent || '0 sessions');
            }
            this.#later(sessions.some(({ state }) => state !== 'finished') ? LIVE_MS : CALM_MS);
        } catch (error) {
            if (request.signal.aborted) {
                return;
            }
            setText(this.#error, `The list cannot be loaded: ${error.message}`);
            this.#later(CALM_MS);
        } finally {
            if (this.#request === request) {
                this.#scroll.setAttribute('aria-busy', 'false');
            }
        }
    }

    #later(milliseconds) {
        this.#timer = setTimeout(() => {
            if (document.visibilityState === 'visible') {
                this.#load(this.#query);
            }
        }, milliseconds);
    }

    #lastPage() {
        return Math.max(1, Math.ceil(this.#total / this.#query.size));
    }

    /** The controls say what is asked for; what somebody types is left alone. */
    #fillControls() {
        const { text, state, sort, order, size } = this.#query;

        if (document.activeElement !== this.#text || !this.#isTyping) {
            this.#text.value = text;
        }
        this.#state.value = state;
        this.#sort.value = sort;
        this.#order.value = order;
        this.#size.value = String(size);
    }

    #show(query, sessions) {
        const last = this.#lastPage();
        const number = value => value.toLocaleString('en');
        const { offset } = query;

        this.#table.show(sessions, query);
        this.#scroll.hidden = !sessions.length;
        this.#pager.hidden = !sessions.length;
        const isTold = !this.#empty.hidden && query === this.#shown;

        this.#empty.hidden = Boolean(sessions.length);
        if (!sessions.length && !isTold) {
            this.#empty.replaceChildren(...query.isFiltered ? this.#nothingFound() : howToBegin());
        }
        setText(this.#range, sessions.length
            ? `${number(offset + 1)} to ${number(offset + sessions.length)} of ${number(this.#total)} sessions`
            : '');
        setText(this.#page, `Page ${number(query.page)} of ${number(last)}`);
        for (const { name, button } of this.#pages) {
            const isBack = name === 'First' || name === 'Previous';

            button.disabled = isBack ? query.page <= 1 : query.page >= last;
        }
    }

    #nothingFound() {
        return [
            element('p', {}, 'No session is like that.'),
            element('p', {}, element('button', { type: 'button', onclick: () => this.#go(new ListQuery()) }, 'Show all sessions'))
        ];
    }
}

function howToBegin() {
    const socket = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`;

    return [
        element('p', {}, 'No sessions yet. There are three ways to begin:'),
        element('ol', {},
            element('li', {}, element('a', { href: '/demo' }, 'Start a demo call'), ' in this browser.'),
            element('li', {}, element('a', { href: '/import' }, 'Import a dump'), ' that you have as a file.'),
            element('li', {}, 'Point an rtcstats client at ', element('code', {}, socket), '; its sessions are listed here '
                + 'as soon as it sends.'))
    ];
}

/** The answer of the server, or an error that says why there is none. */
async function ask(source, signal) {
    const response = await fetch(source, { signal: AbortSignal.any([ signal, AbortSignal.timeout(PATIENCE_MS) ]),
        headers: { accept: 'application/json' } });

    if (response.ok) {
        return response.json();
    }
    const text = await response.text();
    let reason = text;

    try {
        ({ error: reason } = JSON.parse(text));
    } catch {
        // It is no JSON.
    }
    throw new Error(reason || `status ${response.status}`);
}

function choice(id, options) {
    return element('select', { id }, options.map(([ value, name ]) => element('option', { value }, name)));
}

function labelled(name, control) {
    return element('span', { class: 'labelled' }, element('label', { for: control.id }, name), control);
}

new SessionsPage().open(document.getElementById('main'));
