import { createHash } from 'node:crypto'
import { oneOf, opt } from '../../../../protocol/index.ts'
import { keyRequestId } from '../family.ts'
import type { FamilyChange } from '../family-change.ts'
import { base64, id, whole } from '../forms.ts'
import type { Ping } from '../records.ts'
import { refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'

/** What one device has open: requests, and responses that it has not acknowledged. */
const MAX_REQUESTS = 64
const MAX_RESPONSES = 128
/** Pings that wait for one device. */
const MAX_PINGS = 256
const MAX_SECURITY_KEYS = 16

const tempKey = base64(32, 32)
const signature = base64(64, 64)
const securityKey = { keyHandle: base64(1, 1_024), publicKey: base64(1, 1_024) } as const

/** Keys for what the devices encrypt for one another, and pings. */
export const DEVICE_KEYS: Rows = {
  SEND_KEY_REQUEST: row({
    fields: { dsn: whole(0), deviceId: opt(id), categoryId: opt(id), dataType: whole(1, 2), tempKey, signature },
    hidden: ['tempKey', 'signature'],
    tell: 2,
    text: 'the other devices are asked for a key; the device’s older request for the same is gone',
    effect(family, { dsn: senSeq, dataType: type, ...given }, { device: senId }) {
      if (given.deviceId !== undefined && given.categoryId !== undefined)
        refuse('bad-action', 'a key is of a device or of a category')
      const record = family.get('family', 'family')!
      const srvSeq = record.lastKeyRequest + 1
      const own = family.all('keyRequest').filter(([, request]) => request.senId === senId)
      for (const [index, [id, other]] of own.entries()) {
        const isSame = other.type === type && other.deviceId === given.deviceId && other.categoryId === given.categoryId
        if (isSame || index <= own.length - MAX_REQUESTS) family.remove('keyRequest', id)
      }
      family.put('family', 'family', { ...record, lastKeyRequest: srvSeq })
      family.put('keyRequest', keyRequestId(srvSeq), { srvSeq, senId, senSeq, type, ...given })
    }
  }),
  FINISH_KEY_REQUEST: row({
    fields: { dsn: whole(0) },
    tell: 0,
    text: 'a request of the device is gone',
    effect(family, { dsn }, { device }) {
      for (const [id, { senId, senSeq }] of family.all('keyRequest'))
        if (senId === device && senSeq === dsn) family.remove('keyRequest', id)
    }
  }),
  REPLY_TO_KEY_REQUEST: row({
    fields: { rsn: whole(0), tempKey, encryptedKey: base64(1, 1_024), signature },
    hidden: ['tempKey', 'encryptedKey', 'signature'],
    tell: 0,
    text: 'an answer to a request, for whoever asked, who is told at once (important); to one that is gone, or a second one while the first waits, it has no effect',
    effect(family, { rsn, tempKey, encryptedKey: cryptKey, signature }, by) {
      const request = family.get('keyRequest', keyRequestId(rsn))
      const asker = request && family.get('device', request.senId)
      if (request === undefined || asker === undefined) return
      const responses = family.get('keyResponses', request.senId)?.responses ?? []
      if (responses.some(({ sender, rqSeq }) => sender === by.device && rqSeq === request.senSeq)) return
      const srvSeq = asker.lastKeyResponse + 1
      const response = { srvSeq, sender: by.device, rqSeq: request.senSeq, tempKey, cryptKey, signature }
      family.put('keyResponses', request.senId, { responses: [...responses, response].slice(-MAX_RESPONSES) })
      family.put('device', request.senId, { ...asker, lastKeyResponse: srvSeq })
      by.tellDevice(request.senId, 2)
    }
  }),
  PING: row({
    fields: { deviceId: id, event: oneOf('ping', 'pong', 'clear'), token: id },
    tell: 0,
    text: 'a ping or pong waits for the other device, which is told at once (important), in the place of an older one. `pong` and `clear` take away what came from it with this token',
    effect(family, { deviceId, event, token }, by) {
      family.device(deviceId)
      if (event !== 'ping')
        setPings(family, by.device, pings => pings.filter(ping => ping.deviceId !== deviceId || ping.token !== token))
      if (event === 'clear') return
      const ping = { deviceId: by.device, token, type: event }
      setPings(family, deviceId, pings => [
        ...pings.filter(known => known.deviceId !== by.device || known.type !== event).slice(1 - MAX_PINGS),
        ping
      ])
      by.tellDevice(deviceId, 2)
    }
  })
}

/** Security keys of parents. */
export const PARENT_KEYS: Rows = {
  ADD_PARENT_U2F: row({
    fields: securityKey,
    hidden: ['keyHandle', 'publicKey'],
    versions: ['u2f'],
    tell: 1,
    text: 'one more security key of the parent who acts. It opens the devices and signs no actions',
    effect(family, { keyHandle: h, publicKey: p }, { user: u }) {
      const [key, all] = [keyId(h, p), family.all('u2f')]
      if (family.get('u2f', key) !== undefined) refuse('already-exists', 'the family has this security key already')
      if (all.filter(([, known]) => known.u === u).length >= MAX_SECURITY_KEYS)
        refuse('quota-exceeded', `a parent has at most ${MAX_SECURITY_KEYS} security keys`)
      family.put('u2f', key, { u, a: family.timeMs, h, p })
      family.renew('u2f')
    }
  }),
  REMOVE_PARENT_U2F: row({
    fields: securityKey,
    hidden: ['keyHandle', 'publicKey'],
    versions: ['u2f'],
    tell: 2,
    text: 'a security key of the parent who acts is gone',
    effect(family, { keyHandle, publicKey }, { user }) {
      const key = keyId(keyHandle, publicKey)
      if (family.get('u2f', key)?.u !== user) refuse('not-found', 'the parent has no such security key')
      family.remove('u2f', key)
      family.renew('u2f')
    }
  }),
  REPORT_U2F_LOGIN: row({
    fields: {},
    tell: 0,
    text: 'refused: only what a security key signed could report it',
    effect: () => refuse('forbidden', 'this hub takes no security keys')
  })
}

const keyId = (handle: string, publicKey: string): string =>
  createHash('sha256').update(`${handle}.${publicKey}`).digest('hex').slice(0, 32)

function setPings(family: FamilyChange, device: string, change: (pings: readonly Ping[]) => readonly Ping[]): void {
  const before = family.get('pings', device)?.pings ?? []
  const pings = change(before)
  if (pings.length === 0) family.remove('pings', device)
  else family.put('pings', device, { pings })
}
