import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { callControl } from '../../server/control.ts'
import { deviceLogin, eventClient, EVENT_CLIENTS } from './event-clients.ts'
import { servingHub, type TestServingHub } from './serving-hub.ts'
import type { TestContext } from './suite.ts'
import { newId, newPassword, post, TimeLimitDevice, type Actor, type Password, type TimeLimitAnswer } from './timelimit-client.ts'

/** A hub that the suite knows by its URL. */
export interface TimeLimitHub {
  readonly url: string
  /** When it was started for this test. */
  readonly own: TestServingHub | undefined
  readonly post: (path: string, body: unknown, options?: Parameters<typeof post>[3]) => Promise<TimeLimitAnswer>
  /** The newest code that was sent to this address. */
  readonly mailCode: (mail: string) => Promise<string>
}

/** A family on it: a parent's device, and a parent whose password is known. */
export interface Family {
  readonly hub: TimeLimitHub
  readonly device: TimeLimitDevice
  readonly mail: string
  readonly parent: Actor & { readonly password: Password }
  /** Brings another device in, as a child's device comes in. */
  readonly join: (name?: string, level?: number) => Promise<TimeLimitDevice>
}

/**
 * The hub that `LECTERN_URL` names, or one of this test's own. Codes that a hub sends by mail come from the command `LECTERN_MAIL_CODE`, which is run
 * with the mail address as its last argument and prints the code.
 */
export async function timelimitHub(context: TestContext, flags: Record<string, string> = {}): Promise<TimeLimitHub> {
  const { LECTERN_URL: given, LECTERN_MAIL_CODE: command } = process.env
  if (given === undefined || given === '') {
    const own = await servingHub(context, flags)
    return timelimitHubAt(own.url, mail => codeOf(own.dataFolder, mail), own)
  }
  assert.ok(
    command,
    'LECTERN_MAIL_CODE names the command that prints the code sent to an address, such as "npx lectern household code"'
  )
  const [program, ...words] = command.split(' ')
  return timelimitHubAt(given.replace(/\/$/, ''), async mail =>
    (await promisify(execFile)(program!, [...words, mail])).stdout.trim()
  )
}

/** Asks a running hub by its operator's socket. */
export async function codeOf(dataFolder: string, mail: string): Promise<string> {
  const called = await callControl(dataFolder, 'household.code', { mail })
  return (called!.result as { code: string }).code
}

export const timelimitHubAt = (url: string, mailCode: (mail: string) => Promise<string>, own?: TestServingHub): TimeLimitHub => ({
  url,
  own,
  mailCode,
  post: (path, body, options) => post(url, path, body, options)
})

/** Proves an address to be one's own. @returns the token of that */
export async function mailToken(hub: TimeLimitHub, mail: string): Promise<string> {
  const sent = await hub.post('/auth/send-mail-login-code-v2', { mail, locale: 'en' })
  assert.is(sent.status, 200, sent.text)
  const { mailLoginToken } = sent.json
  const signed = await hub.post('/auth/sign-in-by-mail-code', { mailLoginToken, receivedCode: await hub.mailCode(mail) })
  assert.is(signed.status, 200, signed.text)
  return signed.json.mailAuthToken
}

/** The body of a request for a new family. */
export const familyRequest = (mailAuthToken: string, password = newPassword()): Record<string, unknown> => ({
  mailAuthToken,
  parentPassword: password,
  parentDevice: { model: 'test model' },
  deviceName: 'parent device',
  timeZone: 'Europe/Berlin',
  parentName: 'Parent'
})

/** Makes a family with a parent and its device. */
export async function newFamily(hub: TimeLimitHub, mail = `${newId()}@example.org`.toLowerCase()): Promise<Family> {
  const password = newPassword()
  const { status, json, text } = await hub.post('/parent/create-family', familyRequest(await mailToken(hub, mail), password))
  assert.is(status, 200, text)
  const device = new TimeLimitDevice(hub.url, json.deviceAuthToken, json.ownDeviceId)
  await device.pull()
  const { id } = device.mirror.users.data[0]
  const parent = { id, secondHash: password.secondHash, password }
  return { hub, device, mail, parent, join: (name, level) => joinDevice(hub, device, parent, name, level) }
}

async function joinDevice(
  hub: TimeLimitHub,
  by: TimeLimitDevice,
  parent: Actor,
  deviceName = 'child device',
  level?: number
): Promise<TimeLimitDevice> {
  const opened = await by.ask('/parent/create-add-device-token', {
    parentId: parent.id,
    parentPasswordSecondHash: parent.secondHash
  })
  assert.is(opened.status, 200, opened.text)
  const joined = await hub.post('/child/add-device', {
    registerToken: opened.json.token,
    deviceName,
    childDevice: { model: 'test model' }
  })
  assert.is(joined.status, 200, joined.text)
  assert.is(joined.json.ownDeviceId, opened.json.deviceId)
  return new TimeLimitDevice(by.url, joined.json.deviceAuthToken, joined.json.ownDeviceId, level)
}

/** A device's live socket, signed in. */
export async function listen(
  context: TestContext,
  device: TimeLimitDevice,
  kind: (typeof EVENT_CLIENTS)[number] = '4 by websocket'
): Promise<ReturnType<typeof eventClient>> {
  const client = eventClient(context, device.url, kind)
  await deviceLogin(client.socket, device.token)
  return client
}
