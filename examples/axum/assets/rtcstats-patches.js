/** Replacements in the objects of a page, and how they are undone. */

/** Calls `action`; its errors are ours, and nothing to the page. */
export function quietly(action) {
    try {
        return action();
    } catch {
        return undefined;
    }
}

/**
 * What happens around a call. `this` of the call and its arguments come first in each; what `before` returned, last.
 *
 * @typedef {object} Around
 * @property {(self: *, args: *[]) => *} before In front of the call.
 * @property {(self: *, args: *[], result: *, state: *) => void} [after] When it has returned, or its promise is resolved.
 * @property {(self: *, args: *[], error: *, state: *) => void} [failed] When it has thrown, or its promise is rejected.
 * @property {number} [callback] The argument that is a function in the old form of the call: it hears of the success, and
 *   the next one of the failure, in place of the promise.
 */

/**
 * Replaces methods, setters and constructors by such as do the same and tell. Where others have replaced ours since, it
 * stays when it is undone, and tells nothing any more.
 */
export class Patches {
    #isActive = true;
    #undo = [];

    /** Puts `around` around the method `name` of `object`, wherever in its prototypes that is. */
    method(object, name, around) {
        this.#replace(object, name, 'value', (target, self, args) => this.#call(target, self, args, around));
    }

    /** Calls `told(self, value)` after the accessor `name` of `object` has been set. */
    setter(object, name, told) {
        this.#replace(object, name, 'set', (target, self, args) => {
            Reflect.apply(target, self, args);
            if (this.#isActive) {
                quietly(() => told(self, args[0]));
            }
        });
    }

    /** Calls `told(made, args)` for each object that one of the constructors `names` of `scope` makes. */
    constructors(scope, names, told) {
        const replacements = new Map();

        for (const name of names) {
            const native = scope[name];

            if (typeof native !== 'function') {
                continue;
            }
            if (!replacements.has(native)) {
                replacements.set(native, this.#observed(native, told));
                this.#define(native.prototype, 'constructor', 'value', replacements.get(native));
            }
            this.#define(scope, name, 'value', replacements.get(native));
        }
    }

    /** Puts everything back, the youngest first. */
    undo() {
        this.#isActive = false;
        while (this.#undo.length) {
            quietly(this.#undo.pop());
        }
    }

    #observed(native, told) {
        const replacement = new Proxy(native, {
            construct: (target, args, newTarget) => {
                const made = Reflect.construct(target, args, newTarget === replacement ? target : newTarget);

                if (this.#isActive) {
                    quietly(() => told(made, args));
                }

                return made;
            }
        });

        return replacement;
    }

    #replace(object, name, role, apply) {
        const owner = ownerOf(object, name);
        const native = owner && Object.getOwnPropertyDescriptor(owner, name)[role];

        if (typeof native === 'function') {
            // A proxy has the name and the length of what it stands for, and is native code as text.
            this.#define(owner, name, role, new Proxy(native, { apply }));
        }
    }

    #define(owner, name, role, replacement) {
        const native = Object.getOwnPropertyDescriptor(owner, name);

        if (!native?.configurable) {
            return;
        }
        Object.defineProperty(owner, name, { ...native, [role]: replacement });
        this.#undo.push(() => {
            if (Object.getOwnPropertyDescriptor(owner, name)?.[role] === replacement) {
                Object.defineProperty(owner, name, native);
            }
        });
    }

    #call(target, self, args, around) {
        if (!this.#isActive) {
            return Reflect.apply(target, self, args);
        }
        const state = quietly(() => around.before(self, args));
        const after = result => quietly(() => this.#isActive && around.after?.(self, args, result, state));
        const failed = error => quietly(() => this.#isActive && around.failed?.(self, args, error, state));

        if (typeof args[around.callback] === 'function') {
            return Reflect.apply(target, self, withCallbacks(args, around.callback, after, failed));
        }
        let result;

        try {
            result = Reflect.apply(target, self, args);
        } catch (error) {
            failed(error);
            throw error;
        }
        // Promises of the browser are none of the class that the page may have put in its place.
        if (typeof result?.then !== 'function') {
            after(result);

            return result;
        }

        // One that follows the first: to listen to the first and return it would hide that nobody handles its failure.
        return result.then(
            value => {
                after(value);

                return value;
            },
            error => {
                failed(error);
                throw error;
            });
    }
}

/** The object in the prototypes of `object` whose own property `name` is. */
function ownerOf(object, name) {
    let owner = object;

    while (owner && !Object.hasOwn(owner, name)) {
        owner = Object.getPrototypeOf(owner);
    }

    return owner;
}

/** The arguments, with the two functions from `index` on telling us first. */
function withCallbacks(args, index, ...tellers) {
    const wrapped = [ ...args ];

    for (const [ offset, tell ] of tellers.entries()) {
        const callback = args[index + offset];

        if (typeof callback === 'function') {
            wrapped[index + offset] = new Proxy(callback, {
                apply(target, self, values) {
                    tell(values[0]);

                    return Reflect.apply(target, self, values);
                }
            });
        }
    }

    return wrapped;
}
