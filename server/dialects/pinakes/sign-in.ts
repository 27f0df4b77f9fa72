import { createRoute, z } from '@hono/zod-openapi'
import { HubError } from '../../../protocol/index.ts'
import { registerDevice } from '../../auth/devices.ts'
import { signInByPassword } from '../../auth/password-sign-in.ts'
import { ACCESS_MS, type SignInTokens } from '../../auth/sign-ins.ts'
import { authenticated, permitted } from '../bearers.ts'
import type { PinakesParts } from './index.ts'
import { answer, jsonBody, nameShape, refusals, type PinakesApp } from './shapes.ts'

const tokensShape = z
  .object({
    access_token: z.string().openapi({ description: 'For the `authorization` header, as `Bearer …`.' }),
    token_type: z.literal('Bearer'),
    expires_in: z.number().int().openapi({ description: 'Seconds for which the access token is good.' }),
    refresh_token: z.string().openapi({ description: 'Good for one refresh within 30 days. A second use ends the sign-in.' }),
    device_id: z.string().openapi({ description: 'Whose sign-in it is. Give it with the next login of this device.' })
  })
  .openapi('Tokens')

const loginShape = z.strictObject({
  account: z.string().min(1).max(128),
  password: z.string().min(1).max(256),
  device_name: nameShape.default('REST client').openapi({ description: 'What the device that is registered is called.' }),
  device_id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .openapi({ description: 'A device that the account has; its sign-in before ends. Left out, one is registered.' })
})

/** Relative to `/api/v1/auth`: `login`, `refresh`, `logout`, `revoke-all`. */
export function mountSignIn(app: PinakesApp, { hub, directory, limits, signIns, randomBytes }: PinakesParts): void {
  app.use(async (context, next) => {
    await next()
    context.header('cache-control', 'no-store')
  })

  app.openapi(
    createRoute({
      method: 'post',
      path: '/login',
      operationId: 'signIn',
      tags: ['auth'],
      summary: 'Sign in with a password',
      security: [],
      request: { body: jsonBody(loginShape) },
      responses: { 200: answer('Signed in', tokensShape), ...refusals(400, 401, 403, 404, 429) }
    }),
    async context => {
      const { account: name, password, device_name, device_id } = context.req.valid('json')
      const entry = await signInByPassword({ directory, limits }, { name, password, address: context.get('address') })
      if (entry === undefined) throw new HubError('unauthenticated', 'the account or the password is not valid')
      const account = await hub.ensureAccount(entry.id)
      const device = device_id ?? (await registerDevice(account, { name: device_name, app: '' }, randomBytes)).device
      return context.json(told(device, await signIns.begin(account, device)), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/refresh',
      operationId: 'refreshSignIn',
      tags: ['auth'],
      summary: 'Get new tokens for a refresh token',
      security: [],
      request: { body: jsonBody(z.strictObject({ refresh_token: z.string().min(1).max(2_048) })) },
      responses: { 200: answer('New tokens', tokensShape), ...refusals(400, 401, 403) }
    }),
    async context => {
      const { device, ...tokens } = await signIns.refresh(context.req.valid('json').refresh_token, id => hub.account(id))
      return context.json(told(device, tokens), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/logout',
      operationId: 'endSignIn',
      tags: ['auth'],
      summary: "End this device's sign-in",
      description: 'Its access and refresh tokens are good for nothing from then on. A device keeps the token of its own.',
      middleware: authenticated(hub),
      responses: { 204: { description: 'The sign-in has ended' }, ...refusals(401, 403) }
    }),
    async context => {
      const { account, device } = context.get('bearer')
      await signIns.end(account, device)
      return context.body(null, 204)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/revoke-all',
      operationId: 'endAllSignIns',
      tags: ['auth'],
      summary: 'End all sign-ins of the account',
      description: 'This one too. Devices keep the tokens of their own.',
      middleware: [authenticated(hub), permitted('manage-devices')],
      responses: { 204: { description: 'The sign-ins have ended' }, ...refusals(401, 403) }
    }),
    async context => {
      await signIns.endAll(context.get('bearer').account)
      return context.body(null, 204)
    }
  )
}

const told = (device: string, { accessToken, refreshToken }: SignInTokens): z.infer<typeof tokensShape> => ({
  access_token: accessToken,
  token_type: 'Bearer',
  expires_in: ACCESS_MS / 1_000,
  refresh_token: refreshToken,
  device_id: device
})
