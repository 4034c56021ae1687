/** Elements of the page. Text comes in as text nodes only, so that no text of a client can become markup. */

const SVG_OR_HTML_EVENT = /^on[a-z]/;

/**
 * Makes an element.
 *
 * @param {string} name the tag
 * @param {Object<string, *>} [attributes] `class`, `aria-label`, …; `onclick` and the like are listeners (functions);
 *     `true` gives an attribute without value; `false`, `null` and `undefined` give none; `value`, `checked` and `open`
 *     are properties
 * @param {...(Node|string|number|null|undefined|Array)} children text where they are no nodes
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);

    for (const [ key, value ] of Object.entries(attributes)) {
        if (value === false || value === null || value === undefined) {
            continue;
        }
        if (SVG_OR_HTML_EVENT.test(key)) {
            made.addEventListener(key.slice(2), value);
        } else if (key === 'value' || key === 'checked' || key === 'open') {
            made[key] = value;
        } else {
            made.setAttribute(key, value === true ? '' : String(value));
        }
    }
    made.append(...children.flat(3).filter(child => child !== null && child !== undefined).map(toNode));

    return made;
}

function toNode(child) {
    return child instanceof Node ? child : document.createTextNode(String(child));
}

/**
 * Sets the text of a node where it differs, so that nothing is announced or drawn again for nothing.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

let lastId = 0;

/**
 * An id that no other element of the page has.
 *
 * @param {string} prefix
 * @returns {string}
 */
export function uniqueId(prefix) {
    lastId += 1;

    return `${prefix}-${lastId}`;
}

/**
 * Headings of a part of the page: `headings(2)` makes `h2` for level 0, `h3` for level 1, and so on.
 *
 * @param {number} top the level of the first
 * @returns {(level: number, attributes: Object, ...children: *) => HTMLElement}
 */
export function headings(top) {
    return (level, attributes, ...children) => element(`h${Math.min(6, top + level)}`, attributes, ...children);
}
