/** The lines of a stored dump. */
import { show } from './difference.mjs';

/**
 * Splits a dump into its parsed lines, `{line, text, entry}` with the line's number from 1; `problems` takes what is
 * wrong with the framing.
 */
export function parseDump(text, problems) {
    if (!text.endsWith('\n')) {
        problems.push('the dump does not end with a line break');
    }
    const lines = text.split('\n').filter((line, index, all) => line !== '' || index < all.length - 1);

    return lines.map((line, index) => {
        try {
            return { line: index + 1, text: line, entry: JSON.parse(line) };
        } catch (error) {
            problems.push(`line ${index + 1} is not JSON (${error.message}): ${show(line)}`);

            return { line: index + 1, text: line, entry: null };
        }
    });
}
