// The running stack, as `deploy/dev status --json` describes it.

export const stack = JSON.parse(process.env.BROWSER_STACK);

/** Waits until the probe answers something true, and answers that. */
export async function until(probe, what, seconds = 15) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
        const found = await probe();
        if (found) {
            return found;
        }
        if (Date.now() > deadline) {
            throw new Error(`Waited ${seconds} s in vain: ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}
