/** Polls until `condition` holds. */
export async function until(condition, milliseconds, what) {
    const deadline = Date.now() + milliseconds;

    while (!condition()) {
        if (Date.now() > deadline) {
            throw new Error(`${what} did not happen within ${milliseconds} ms`);
        }
        await new Promise(resolve => { setTimeout(resolve, 20); });
    }
}
