// A client of the official TypeScript SDK that signs in: sdk_client.mjs MODULES v1|v2 URL REDIRECT_URI
//
// Prints {"authorize": URL}, reads the address that the browser came back to, then lists tools, calls one, has its
// access token refreshed and calls again; prints {"tokens": [...], "tools": [...], "records": N}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

const [modules, version, url, redirectUrl] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const packages = {
    v1: ["@modelcontextprotocol/sdk/client/index.js", "@modelcontextprotocol/sdk/client/streamableHttp.js"],
    v2: ["@modelcontextprotocol/client"],
};
const sdk = Object.assign({}, ...(await Promise.all(packages[version].map(load))));

const kept = { tokens: [] };
const provider = {
    redirectUrl,
    clientMetadata: {
        client_name: `Proof of OAuth, TypeScript SDK ${version}`,
        redirect_uris: [redirectUrl],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
    },
    state: () => "state of the SDK",
    clientInformation: () => kept.client,
    saveClientInformation: (client) => (kept.client = client),
    tokens: () => kept.tokens.at(-1),
    saveTokens: (tokens) => kept.tokens.push(tokens),
    redirectToAuthorization: (address) => (kept.authorize = address.href),
    saveCodeVerifier: (verifier) => (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
};

const transport = () => new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const connect = async () => {
    const client = new sdk.Client({ name: "proof", version: "1" });
    const wire = transport();
    await client.connect(wire).catch((error) => {
        error.wire = wire;
        throw error;
    });
    return client;
};
const read = { name: "search_read", arguments: { model: "res.partner", fields: ["name"], limit: 2 } };

try {
    await connect();
    throw new Error("connected without signing in");
} catch (error) {
    if (!kept.authorize) throw error;
    console.log(JSON.stringify({ authorize: kept.authorize }));
    const lines = createInterface({ input: process.stdin });
    const callback = new URL((await lines[Symbol.asyncIterator]().next()).value);
    lines.close();
    await error.wire.finishAuth(version === "v1" ? callback.searchParams.get("code") : callback.searchParams);
}
let client = await connect();
const { tools } = await client.listTools();
const found = await client.callTool(read);
await client.close();
// A dead access token: the SDK has to refresh by itself.
kept.tokens.push({ ...kept.tokens.at(-1), access_token: "expired" });
client = await connect();
const again = await client.callTool(read);
await client.close();
const records = [found, again].map((result) => JSON.parse(result.content[0].text).records.length);
console.log(JSON.stringify({ tokens: kept.tokens, tools: tools.map((tool) => tool.name), records }));
