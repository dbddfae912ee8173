// A real OpenID provider for the tests: npm's certified oidc-provider, with PKCE required and back-channel logout.
// Its only argument is JSON: {port, client, people: {login: claims}}. It prints "ready" when it listens.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { port, client, people } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const page = (title, body) => `<!doctype html><title>${title}</title><h1>${title}</h1>${body}`;

const provider = new Provider(issuer, {
  clients: [client],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "real-1", use: "sig", alg: "RS256" }] },
  cookies: { keys: ["tests only"] },
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        ctx.body = page("Sign out of the provider?", `${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`);
      },
    },
  },
  // It refuses to call private addresses by itself: here OVIM is on one.
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  loadExistingGrant: async (ctx) => {
    const { provider, client, session } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email groups");
    await grant.save();
    return grant;
  },
});
provider.on("backchannel.error", (ctx, error) => console.error("back-channel:", error.message));
provider.on("server_error", (ctx, error) => console.error(error));

const read = async (request) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
};
const served = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return served(request, response);
  if (request.method === "POST") {
    const form = await read(request);
    const result = form.has("cancel")
      ? { error: "access_denied" }
      : { login: { accountId: form.get("login"), amr: (form.get("amr") || "pwd").split(" ") } };
    return provider.interactionFinished(request, response, result);
  }
  response.setHeader("Content-Type", "text/html");
  return response.end(
    page("Provider sign-in", `<form method="post"><label>Login <input name="login"></label>
      <button>Sign in</button> <button name="cancel" value="yes">Cancel</button></form>`),
  );
}).listen(port, "127.0.0.1", () => console.log("ready"));
