/** The page of one series: a live graph of all calls. */
import { element } from './elements.js';
import { LiveGraph, allSeries, rangeChoice, seriesLinks } from './live-graph.js';
import { TimeAxis } from './time-axis.js';

const HEIGHT = 420;

const main = document.getElementById('main');

try {
    show(await allSeries());
} catch (error) {
    main.replaceChildren(element('h1', {}, 'Graph'), element('p', { class: 'error' }, `The graphs are not there: ${error.message}`));
}

/** The page, by the series that there are. */
function show(series) {
    const name = decodeURIComponent(location.pathname.split('/')[2] ?? '');
    const own = series.find(entry => entry.name === name || entry.alias === name);

    if (!own) {
        main.replaceChildren(element('h1', {}, 'No such graph'), element('p', {}, 'These there are:'), seriesLinks(series));

        return;
    }
    const graph = new LiveGraph(own, new TimeAxis(), { isListed: true, height: HEIGHT });
    const filter = element('input', { type: 'search', oninput: () => graph.setFilter(filter.value) });

    main.replaceChildren(
        element('h1', {}, own.title),
        element('div', { class: 'live-controls' }, rangeChoice(range => graph.setRange(range)),
            element('label', {}, 'Only calls with ', filter)),
        graph.element,
        element('h2', {}, 'Other series'),
        seriesLinks(series.filter(entry => entry !== own)));
}
