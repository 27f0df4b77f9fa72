import { Hono, type Context } from 'hono'
import { HubError } from '../../../protocol/index.ts'
import type { AccountEntry } from '../../auth/accounts.ts'
import type { Account } from '../../core/account.ts'
import type { Hub } from '../../core/hub.ts'
import { permits } from '../../core/policy.ts'
import type { Clock, Logger, RandomBytes } from '../../core/ports.ts'
import { problem, type HttpApp, type HttpEnv } from '../../transports/http.ts'
import { BodyReader } from '../bodies.ts'
import { originOf } from './devices.ts'
import { isDocument, joinDocument, placeOf } from './documents.ts'
import { positionOf, readProgress, toldOf } from './progress.ts'
import { register } from './registration.ts'
import { Refusal, refusalAnswer } from './refusals.ts'
import { createSignIn, type SignInParts } from './sign-in.ts'

export interface KosyncParts extends SignInParts {
  readonly hub: Hub
  readonly clock: Clock
  readonly logger: Logger
  readonly randomBytes: RandomBytes
  /** Anyone may make an account. */
  readonly canRegister: boolean
}

/** Paths, and beginnings of paths, whose routes bound their bodies themselves. */
export const KOSYNC_PATHS = ['/kosync/', '/healthcheck', '/users/', '/syncs/', '//']

const MAX_BODY_BYTES = 65_536

/** What a request brings beside HTTP. */
interface KosyncEnv extends HttpEnv {
  Bindings: HttpEnv['Bindings'] & { readonly sender: string }
}

type KosyncContext = Context<KosyncEnv>

/** Clients put their paths behind whatever address they were given: slashes too many, or one at the end, do no harm. */
const tidy = (path: string): string =>
  path
    .replace(/\/{2,}/g, '/')
    .replace(/^\/kosync(?=\/)/, '')
    .replace(/(?<=.)\/$/, '')

const isOfKosync = (path: string): boolean => /^\/+(?:kosync|healthcheck|users|syncs)(?:\/|$)/.test(path)

/** KOReader's progress sync, at the root and under `/kosync`. */
export function mountKosync(outer: HttpApp, parts: KosyncParts): void {
  const app = new Hono<KosyncEnv>({ getPath: request => tidy(new URL(request.url).pathname) })
  const signIn = createSignIn(parts)
  const bodies = new BodyReader(MAX_BODY_BYTES)
  /** @throws Refusal, HubError */
  const jsonOf = ({ incoming }: KosyncEnv['Bindings']) => bodies.read(incoming, mapIn)
  const entryOf = ({ req, env }: KosyncContext): Promise<AccountEntry> => signIn(name => req.header(name), env.sender)
  const accountOf = async (context: KosyncContext): Promise<Account> => parts.hub.ensureAccount((await entryOf(context)).id)
  app.onError(error => refusalAnswer(error, parts.logger))
  app.notFound(() => problem(new HubError('not-found')))
  app.get('/healthcheck', () => Response.json({ state: 'OK' }))
  app.post('/users/create', async ({ env }) => {
    if (!parts.canRegister) throw new Refusal('registration-off')
    return Response.json({ username: await register(parts, await jsonOf(env), env.sender) }, { status: 201 })
  })
  app.get('/users/auth', async context => {
    await entryOf(context)
    return Response.json({ authorized: 'OK' })
  })
  app.put('/users/password', async context => {
    const { id } = await entryOf(context)
    const { password } = await jsonOf(context.env)
    if (typeof password !== 'string' || password === '') throw new Refusal('bad-fields')
    await parts.syncKeys.set(id, password)
    return Response.json({ updated: true })
  })
  app.delete('/users/me', async context => {
    await parts.syncKeys.remove((await entryOf(context)).id)
    return Response.json({ deleted: true })
  })
  app.put('/syncs/progress', async context => {
    const account = await accountOf(context)
    const given = readProgress(await jsonOf(context.env))
    const origin = await originOf(account, given, parts.randomBytes)
    await joinDocument(account, given.document)
    const { views } = account
    const place = placeOf(views, given.document)
    await account.perform(origin, 'position.set', place, positionOf(views, place, origin.device, given))
    const { changedAtUs } = views.get('positions', place, origin.device)!
    return Response.json({ document: given.document, timestamp: Math.floor(changedAtUs / 1_000_000) })
  })
  app.get('/syncs/progress/:document', async context => {
    const account = await accountOf(context)
    const document = context.req.param('document')
    if (!isDocument(document)) throw new Refusal('no-document')
    // No device is named: whoever has the account's key may read.
    if (!permits('reader', 'positions')) throw new HubError('forbidden')
    const told = toldOf(account, document)
    if (account.head > account.durableHead) await account.settled()
    return Response.json(told ?? {})
  })
  outer.use(async (context, next) => {
    if (!isOfKosync(context.req.path)) return next()
    return app.fetch(context.req.raw, { ...context.env, sender: context.get('address') })
  })
}

/** @throws Refusal unless it is a map as JSON, whatever its content type says */
function mapIn(bytes: Buffer): Readonly<Record<string, unknown>> {
  let body: unknown
  try {
    body = JSON.parse(bytes.toString())
  } catch {
    throw new Refusal('bad-json')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Refusal('not-a-map')
  return body as Record<string, unknown>
}
