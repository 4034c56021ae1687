/**
 * The page's own log of what the stock client emitted.
 *
 * The client builds an entry, `[name, pc, value, timestamp, number]`, inside a closure: obfuscation, the clock and
 * the sequence number are all applied behind `statsEntry()` and `identity()`. It draws the number with
 * `array.push(number)`, also while it is disconnected and also when its buffer is full. So for the duration of that
 * one synchronous call, and only then, `Array.prototype.push` is watched; the array seen is the very one the client
 * stores and sends. The client itself stays unmodified.
 */

/** Elements of a finished entry: name, pc, value, timestamp, sequence number. */
const ENTRY_LENGTH = 5;

/** Runs `emit` and returns the entry array that the client built for `name` meanwhile, if it got as far. */
function watch(name, emit) {
    const stockPush = Array.prototype.push;
    let entry;
    let failure;

    Array.prototype.push = function push(...items) {
        const length = stockPush.apply(this, items);

        if (length === ENTRY_LENGTH && this[0] === name && typeof items[0] === 'number') {
            entry = this;
        }

        return length;
    };
    try {
        emit();
    } catch (error) {
        failure = error;
    } finally {
        Array.prototype.push = stockPush;
    }

    return { entry, failure };
}

/**
 * Wraps the transport's two emitting functions.
 *
 * Returns them as `statsEntry` and `identity`, to be used in place of the transport's own, beside the growing list
 * `entries` of `{number, type, text}` (the entry as JSON text, taken before anything can change it) and `problems`.
 */
export function recordEmissions(trace) {
    const entries = [];
    const problems = [];

    const recorded = type => (...args) => {
        const stock = type === 'identity' ? trace.identity : trace.statsEntry;
        const { entry, failure } = watch(args[0], () => stock(...args));

        if (entry) {
            const number = entries.length + 1;

            // Counted here as well, so that the numbers on the wire are checked against a second source.
            if (entry[4] !== number) {
                problems.push(`the client numbered "${args[0]}" ${entry[4]}, it is emission ${number}`);
            }
            entries.push({ number, type, text: JSON.stringify(entry) });
        } else if (!failure) {
            problems.push(`the client built no entry for "${args[0]}"`);
        }
        if (failure) {
            // Without an entry no number was drawn: the emission never happened, as far as a server can tell.
            if (entry) {
                problems.push(`emitting "${args[0]}" failed after it was numbered: ${failure}`);
            }
            throw failure;
        }
    };

    return { entries, problems, statsEntry: recorded('stats-entry'), identity: recorded('identity') };
}
