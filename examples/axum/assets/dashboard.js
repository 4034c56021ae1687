/** The dashboard: the main series of all calls, live. */
import { element } from './elements.js';
import { LiveGraph, allSeries, rangeChoice, seriesLinks } from './live-graph.js';
import { TimeAxis } from './time-axis.js';

/** The series that are drawn here; the others have a link. */
const MAIN = [ 'availableBandwidth', 'rtt', 'inputLevel', 'packetsLost' ];

const main = document.getElementById('main');
const title = element('h1', {}, 'Graphs of all calls');

try {
    show(await allSeries());
} catch (error) {
    main.replaceChildren(title, element('p', { class: 'error' }, `The graphs are not there: ${error.message}`));
}

function show(series) {
    const time = new TimeAxis();
    const graphs = series.filter(({ name }) => MAIN.includes(name)).map(entry => new LiveGraph(entry, time, {
        isListed: true,
        heading: () => element('h2', {}, element('a', { href: `/graph/${entry.name}/` }, entry.title))
    }));

    main.replaceChildren(title,
        element('div', { class: 'live-controls' }, rangeChoice(range => graphs.forEach(graph => graph.setRange(range)))),
        element('div', { class: 'charts' }, graphs.map(graph => graph.element)),
        element('h2', {}, 'All series'), seriesLinks(series));
}
