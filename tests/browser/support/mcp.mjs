// What an AI tool would do with a key.

import { stack } from "./stack.mjs";

/** Asks the sidecar to be let in with that key; answers the HTTP status. */
export async function knock(key, url = stack.mcp_url) {
    const clientInfo = { name: "browser-tests", version: "1.0" };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
    const response = await fetch(url, {
        method: "POST",
        headers: {
            "Authorization": `Bearer ${key}`,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
    });
    await response.body?.cancel();
    return response.status;
}
