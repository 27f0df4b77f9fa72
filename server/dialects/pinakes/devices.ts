import { createRoute, z } from '@hono/zod-openapi'
import { HubError } from '../../../protocol/index.ts'
import { deviceOf, registerDevice, renewToken, revokeDevice, updateDevice } from '../../auth/devices.ts'
import type { Account } from '../../core/account.ts'
import { mustBeLetIn, permits } from '../../core/policy.ts'
import { nextTurn } from '../../core/ports.ts'
import { permitted } from '../bearers.ts'
import type { PinakesParts } from './index.ts'
import { answer, cursorText, jsonBody, nameShape, refusals, timeOfUs, timeShape, type PinakesApp } from './shapes.ts'

/** Records that are looked at in one turn of the event loop. */
const PAGE = 1_000

const appShape = z
  .string()
  .max(256)
  .regex(/^\P{Cs}*$/u)
  .openapi({ description: "The app's name and version." })

const deviceShape = z
  .object({
    id: z.string(),
    name: nameShape,
    app: appShape,
    read_only: z.boolean(),
    disabled: z.boolean(),
    is_current: z.boolean().openapi({ description: 'It is the one that asks.' }),
    registered_at: timeShape,
    acknowledged_cursor: z
      .string()
      .nullable()
      .openapi({ description: 'How far it has said that it has got; null when it has said nothing.' })
  })
  .openapi('Device')

const tokenShape = z.string().openapi({ description: "The device's token, which is told this once." })
const idParam = z.object({ id: z.string().openapi({ description: "The device's id." }) })

/** `/devices`: the devices of the asker's account. What was deleted is no longer among them. */
export function mountDevices(app: PinakesApp, { randomBytes, clock }: PinakesParts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/devices',
      operationId: 'listDevices',
      tags: ['devices'],
      summary: "List the account's devices",
      middleware: permitted('devices'),
      responses: { 200: answer('The devices, by id', z.object({ devices: z.array(deviceShape) })), ...refusals(401, 403) }
    }),
    async context => {
      const { account, device } = context.get('bearer')
      // Those that are there are `maxDevices` at most; of those that were deleted there is no end.
      const devices: z.infer<typeof deviceShape>[] = []
      for (const page of account.views.pages('devices', [], PAGE)) {
        for (const [id, { revoked }] of page) if (!revoked) devices.push(described(account, id, device))
        await nextTurn(clock)
        mustBeLetIn(context.get('bearer'))
      }
      // What is told must be durable.
      await account.settled()
      return context.json({ devices }, 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/devices',
      operationId: 'registerDevice',
      tags: ['devices'],
      summary: 'Register a device',
      middleware: permitted('manage-devices'),
      request: {
        body: jsonBody(z.strictObject({ name: nameShape, app: appShape.default(''), read_only: z.boolean().default(false) }))
      },
      responses: {
        200: answer('The device, and its token', deviceShape.extend({ token: tokenShape }).openapi('RegisteredDevice')),
        ...refusals(400, 401, 403, 500)
      }
    }),
    async context => {
      const { account, device: by } = context.get('bearer')
      const { name, app, read_only: readOnly } = context.req.valid('json')
      const { device, token } = await registerDevice(account, { name, app, readOnly }, randomBytes, by)
      return context.json({ ...described(account, device, by), token }, 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'get',
      path: '/devices/{id}',
      operationId: 'readDevice',
      tags: ['devices'],
      summary: 'Read one device',
      middleware: permitted('devices'),
      request: { params: idParam },
      responses: { 200: answer('The device', deviceShape), ...refusals(401, 403, 404) }
    }),
    async context => {
      const { account, device } = context.get('bearer')
      const told = described(account, context.req.valid('param').id, device)
      // What is told must be durable.
      await account.settled()
      return context.json(told, 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'put',
      path: '/devices/{id}',
      operationId: 'updateDevice',
      tags: ['devices'],
      summary: 'Rename, disable or enable a device',
      description: 'What is left out stays. A disabled device is cut off at once, and is not let in until it is enabled again.',
      middleware: permitted('manage-devices'),
      request: {
        params: idParam,
        body: jsonBody(z.strictObject({ name: nameShape.optional(), app: appShape.optional(), disabled: z.boolean().optional() }))
      },
      responses: { 200: answer('The device', deviceShape), ...refusals(400, 401, 403, 404) }
    }),
    async context => {
      const { account, device: by } = context.get('bearer')
      const { id } = context.req.valid('param')
      await updateDevice(account, id, context.req.valid('json'), by)
      return context.json(described(account, id, by), 200)
    }
  )

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/devices/{id}',
      operationId: 'deleteDevice',
      tags: ['devices'],
      summary: 'Delete a device',
      description: 'It is cut off at once and for ever. What it wrote stays. A device that may only read can delete itself.',
      middleware: permitted('devices'),
      request: { params: idParam },
      responses: { 204: { description: 'The device is deleted' }, ...refusals(401, 403, 404) }
    }),
    async context => {
      const { account, device: by, actor } = context.get('bearer')
      const { id } = context.req.valid('param')
      if (id !== by && !permits(actor, 'manage-devices')) throw new HubError('forbidden', 'this device may only read')
      deviceOf(account, id)
      await revokeDevice(account, id, by)
      return context.body(null, 204)
    }
  )

  app.openapi(
    createRoute({
      method: 'post',
      path: '/devices/{id}/token',
      operationId: 'renewDeviceToken',
      tags: ['devices'],
      summary: 'Give a device a new token',
      description: 'The old one, and what is connected by it, are good for nothing from then on.',
      middleware: permitted('manage-devices'),
      request: { params: idParam },
      responses: {
        200: answer('The token', z.object({ id: z.string(), token: tokenShape }).openapi('DeviceToken')),
        ...refusals(401, 403, 404)
      }
    }),
    async context => {
      const { account, device: by } = context.get('bearer')
      const { id } = context.req.valid('param')
      return context.json({ id, token: await renewToken(account, id, by, randomBytes) }, 200)
    }
  )
}

/** @throws HubError `not-found` */
function described(account: Account, id: string, asker: string): z.infer<typeof deviceShape> {
  const { name, app, readOnly, disabled = false, registeredAtUs } = deviceOf(account, id)
  const acknowledged = account.readers.cursorOf(id, '')
  return {
    id,
    name,
    app,
    read_only: readOnly,
    disabled,
    is_current: id === asker,
    registered_at: timeOfUs(registeredAtUs),
    acknowledged_cursor: acknowledged === undefined ? null : cursorText(account.epoch, acknowledged)
  }
}
