/** The graphs of a session: the chosen numbers, what is drawn without being asked for, and all numbers on demand. */
import { Chart } from './charts.js';
import { groupsOf } from './chart-groups.js';
import { element, setText } from './elements.js';
import { points, seriesKey } from './session-model.js';

/** Height of the graph of a single number, in pixels. */
const SMALL_HEIGHT = 150;

/** The part of the page with the graphs. */
export class Graphs {
    #model;
    #time;
    #selection;
    #heading;
    #chosen;
    #connections = new Map();
    #stopListening;

    /**
     * @param {import('./session-model.js').SessionModel} model
     * @param {import('./time-axis.js').TimeAxis} time
     * @param {import('./selection.js').Selection} selection
     * @param {Function} heading makes headings, see `headings`
     */
    constructor(model, time, selection, heading) {
        this.#model = model;
        this.#time = time;
        this.#selection = selection;
        this.#heading = heading;
        this.#chosen = new ChosenGraphs(model, time, selection, heading);
        this.element = element('div', {}, this.#chosen.element);
        this.#stopListening = selection.onChange(() => this.update());
        this.update();
    }

    /** Takes what changed in the model. */
    update() {
        this.#chosen.update();
        for (const connection of this.#model.connections) {
            let graphs = this.#connections.get(connection.id);

            if (!graphs) {
                graphs = new ConnectionGraphs(connection.id, this.#model, this.#time, this.#selection, this.#heading);
                this.#connections.set(connection.id, graphs);
                this.element.append(graphs.element);
            }
            graphs.update(connection);
        }
    }

    close() {
        this.#stopListening();
        this.#chosen.close();
        this.#connections.forEach(graphs => graphs.close());
    }
}

/** How a series is drawn: its own name, or with its object's. */
function toLine(selection, connection, object, series, name) {
    const key = seriesKey(connection.id, object.id, series.name);

    return { key, name, ...points(connection, series), isHidden: selection.isHidden(key) };
}

/** Keeps one chart for each group that there is, in the order of the groups. */
class ChartSet {
    #charts = new Map();

    constructor(make) {
        this.make = make;
        this.element = element('div', { class: 'charts' });
    }

    update(groups) {
        groups.forEach((group, index) => {
            let chart = this.#charts.get(group.id);

            if (!chart) {
                chart = this.make(group.id, group);
                this.#charts.set(group.id, chart);
            }
            if (this.element.children[index] !== chart.element) {
                this.element.insertBefore(chart.element, this.element.children[index] ?? null);
            }
            chart.update();
        });
        const left = new Set(groups.map(({ id }) => id));

        for (const [ id, chart ] of this.#charts) {
            if (!left.has(id)) {
                chart.close();
                chart.element.remove();
                this.#charts.delete(id);
            }
        }
    }

    close() {
        this.#charts.forEach(chart => chart.close());
        this.#charts.clear();
    }
}

/** The numbers that the reader picked, one graph for each unit. */
class ChosenGraphs {
    #model;
    #selection;
    #groups = [];
    #set;

    constructor(model, time, selection, heading) {
        this.#model = model;
        this.#selection = selection;
        this.#set = new ChartSet((id, { title, unit }) => new Chart({ title, unit, time,
            heading: heading(2, {}, title),
            lines: () => this.#lines(id),
            // To hide one of these is to choose it no more.
            onToggle: key => selection.choose(key, false),
            fileParts: [ 'rtcstats' ] }));
        this.element = element('section', { class: 'chosen', 'aria-label': 'Chosen numbers', hidden: true },
            heading(1, {}, 'Chosen numbers'),
            element('p', {}, element('button', { type: 'button', onclick: () => selection.clear() }, 'Choose none')),
            this.#set.element);
    }

    update() {
        const byUnit = new Map();

        for (const key of this.#selection.chosen) {
            const found = this.#model.series(key);

            if (found) {
                const unit = found.series.unit ?? '';

                byUnit.set(unit, [ ...byUnit.get(unit) ?? [], found ]);
            }
        }
        this.#groups = [ ...byUnit ].map(([ unit, members ]) => ({ id: unit, unit, members,
            title: `Chosen numbers in ${unit || 'plain numbers'}` }));
        this.element.hidden = this.#groups.length === 0;
        // Lists of lines only grow: a graph with fewer of them is another.
        this.#set.update(this.#groups.map(group => ({ ...group, id: JSON.stringify([ group.unit,
            ...group.members.map(({ connection, object, series }) => seriesKey(connection.id, object.id, series.name)) ]) })));
    }

    #lines(id) {
        const [ , ...keys ] = JSON.parse(id);

        return keys.map(key => this.#model.series(key)).filter(Boolean).map(({ connection, object, series }) => ({
            ...toLine(this.#selection, connection, object, series,
                `${connection.id} · ${object.label ?? object.id} · ${series.name}`), isHidden: false }));
    }

    close() {
        this.#set.close();
    }
}

/** The graphs of one connection. */
class ConnectionGraphs {
    #id;
    #connection = null;
    #groups = [];
    #selection;
    #set;
    #all;
    #title;
    #empty;

    constructor(id, model, time, selection, heading) {
        this.#id = id;
        this.#selection = selection;
        this.#set = new ChartSet((group, { title, unit }) => new Chart({ title, unit, time,
            heading: heading(2, {}, title),
            lines: () => this.#lines(group),
            onToggle: (key, isHidden) => selection.hide(key, isHidden),
            fileParts: [ id ] }));
        this.#all = new AllNumbers(id, time, selection);
        this.#title = heading(1, { dir: 'auto' }, id);
        this.#empty = element('p', { class: 'muted' }, 'There are no numbers of this connection.');
        this.element = element('section', {}, this.#title, this.#empty, this.#set.element, this.#all.element);
    }

    update(connection) {
        this.#connection = connection;
        this.#groups = groupsOf(connection);
        this.#empty.hidden = connection.objects.length > 0;
        setText(this.#title, connection.label ? `${connection.id}: ${connection.label}` : connection.id);
        this.#set.update(this.#groups);
        this.#all.update(connection);
    }

    #lines(id) {
        const { members = [] } = this.#groups.find(group => group.id === id) ?? {};
        const isAlone = new Set(members.map(({ series }) => series.name)).size === 1;

        return members.map(({ object, series }) => toLine(this.#selection, this.#connection, object, series,
            isAlone ? object.label ?? object.id : `${object.label ?? object.id} · ${series.name}`));
    }

    close() {
        this.#set.close();
        this.#all.close();
    }
}

/** Every number of a connection, by object. Graphs are made when an object is opened. */
class AllNumbers {
    #id;
    #time;
    #selection;
    #summary;
    #objects = new Map();

    constructor(id, time, selection) {
        this.#id = id;
        this.#time = time;
        this.#selection = selection;
        this.#summary = element('summary', {});
        this.element = element('details', { class: 'all-numbers', ontoggle: () => this.#fill() }, this.#summary);
    }

    update(connection) {
        this.connection = connection;
        const count = connection.objects.reduce((sum, { series }) => sum + series.length, 0);

        this.element.hidden = count === 0;
        setText(this.#summary, `All numbers of ${this.#id} (${count.toLocaleString('en')})`);
        this.#fill();
    }

    #fill() {
        if (!this.element.open) {
            return;
        }
        for (const object of this.connection.objects) {
            let entry = this.#objects.get(object.id);

            if (!entry) {
                entry = new ObjectGraphs(this, object.id, this.#time, this.#selection);
                this.#objects.set(object.id, entry);
                this.element.append(entry.element);
            }
            entry.update(object);
        }
    }

    close() {
        this.#objects.forEach(entry => entry.close());
    }
}

/** Every number of one object: a small graph for each, and a box to choose it. */
class ObjectGraphs {
    #all;
    #object = null;
    #summary;
    #selection;
    #set;
    #boxes = new Map();

    constructor(all, id, time, selection) {
        this.#all = all;
        this.#selection = selection;
        this.#summary = element('summary', { dir: 'auto' }, id);
        this.#set = new ChartSet((name, { unit }) => this.#makeChart(name, unit, time));
        this.element = element('details', { ontoggle: () => this.#fill() }, this.#summary, this.#set.element);
    }

    update(object) {
        this.#object = object;
        setText(this.#summary, `${object.label ?? object.id} (${object.id}, ${object.series.length})`);
        this.#fill();
    }

    #fill() {
        if (!this.element.open) {
            this.#set.update([]);
            this.#boxes.clear();

            return;
        }
        this.#set.update(this.#object.series.map(({ name, unit }) => ({ id: name, unit: unit ?? '' })));
        for (const [ name, box ] of this.#boxes) {
            box.checked = this.#selection.isChosen(this.#key(name));
        }
    }

    #key(name) {
        return seriesKey(this.#all.connection.id, this.#object.id, name);
    }

    #makeChart(name, unit, time) {
        const box = element('input', { type: 'checkbox', checked: this.#selection.isChosen(this.#key(name)),
            onchange: () => this.#selection.choose(this.#key(name), box.checked) });

        this.#boxes.set(name, box);

        return new Chart({ title: name, unit, time, height: SMALL_HEIGHT,
            heading: element('label', { class: 'choose', title: `Choose ${name} of ${this.#object.id}` }, box, ' ', name),
            lines: () => {
                const series = this.#object.series.find(own => own.name === name);

                return series ? [ { ...toLine(this.#selection, this.#all.connection, this.#object, series, name),
                    isHidden: false } ] : [];
            },
            fileParts: [ this.#all.connection.id, this.#object.id ] });
    }

    close() {
        this.#set.close();
    }
}
