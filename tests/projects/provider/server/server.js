// An identity server: oidc-provider with its settings read from a folder. It exits 64, saying why, when it can't start
// with them. Like other servers it looks at a client only when the client comes.
import { Provider } from 'oidc-provider';
import { SettingsError, readSettings } from './settings.js';

const KNOWN = ['issuer', 'listen', 'keys', 'cookies', 'scopes', 'clients', 'introspection', 'resources', 'lifetimes'];

function main() {
  const settings = readSettings(process.env.SETTINGS_FOLDER ?? '/config', process.env);
  const unknown = Object.keys(settings).filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0) {
    throw new SettingsError(`unknown settings: ${unknown.join(', ')}`);
  }
  const provider = new Provider(address(settings.issuer), configuration(settings));
  // It is reached through a proxy, which says by which name and scheme.
  provider.proxy = true;
  provider.use(pages);
  provider.on('server_error', (_, error) => console.error(`error: ${error.message}`));
  const port = Number(settings.listen ?? 8080);
  const server = provider.listen(port, () => console.log(`${settings.issuer} on port ${port}`));
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeAllConnections();
    });
  }
}

function configuration(settings) {
  const resources = settings.resources ?? [];
  const jwks = keys(settings.keys);
  return {
    jwks,
    clientDefaults: { id_token_signed_response_alg: jwks.keys[0].alg },
    cookies: { keys: settings.cookies },
    scopes: [...(settings.scopes ?? []), ...resources.flatMap((resource) => resource.scope.split(' '))],
    clients: settings.clients,
    claims: { profile: ['name', 'preferred_username'], email: ['email'] },
    ttl: settings.lifetimes,
    pkce: { required: () => true },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_, client, token) =>
          client.clientId === token.clientId || (settings.introspection ?? []).includes(client.clientId),
      },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_, client, asked) =>
          asked ?? resources.find((resource) => resource.clients?.includes(client.clientId))?.indicator,
        getResourceServerInfo: (_, indicator) => resourceServer(resources, indicator),
      },
    },
    renderError: (context, { error, error_description: description }) => {
      context.type = 'text/plain';
      context.body = `${error}: ${description}\n`;
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: id }) }),
  };
}

// An API that tokens are for: its access tokens are signed JWTs, all others are opaque.
function resourceServer(resources, indicator) {
  const found = resources.find((resource) => resource.indicator === indicator);
  if (!found) {
    throw new Error(`no resource is called ${indicator}`);
  }
  return {
    scope: found.scope,
    audience: found.indicator,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: found.algorithm ?? 'ES256' } },
  };
}

function address(text) {
  if (!URL.canParse(text ?? '')) {
    throw new SettingsError('`issuer` is not a URL');
  }
  return text;
}

function keys(text) {
  try {
    const set = JSON.parse(text);
    if (set.keys.length > 0) {
      return set;
    }
  } catch {
    // Not even JSON; what it is must not be shown.
  }
  throw new SettingsError('`keys` is not a JWKS with private keys');
}

async function pages(context, next) {
  if (context.path === '/health') {
    context.body = 'ok';
  } else if (context.path.startsWith('/interaction/')) {
    context.body = 'sign in';
  } else {
    await next();
  }
}

try {
  main();
} catch (error) {
  console.error(`can't start: ${error instanceof SettingsError ? error.message : error}`);
  process.exit(64);
}
