import * as assert from 'uvu/assert'
import { newId, type TimeLimitDevice } from '../../../../util/timelimit-client.ts'
import type { ActionCase, Scene } from './action-case.ts'

const bytes = (count: number, value = 1): string => Buffer.alloc(count, value).toString('base64')
const request = (dsn: number): Record<string, unknown> => ({ dsn, dataType: 1, tempKey: bytes(32), signature: bytes(64) })

/** Has the watcher ask for a key. @returns the request as the parent's device is told it */
async function ask({ watcher, device }: Scene, dsn: number): Promise<{ dsn: number; rsn: number }> {
  await watcher.act(watcher.appLogic({ type: 'SEND_KEY_REQUEST', ...request(dsn) }))
  await device.pull()
  const found = [...device.mirror.keyRequests.values()].find(({ senId, senSeq }) => senId === watcher.id && senSeq === dsn)
  return { dsn, rsn: found.srvSeq }
}

const pingsOf = async (device: TimeLimitDevice): Promise<any[]> => (await device.pull()).pings

/** Keys, pings and security keys. */
export const KEY_CASES: readonly ActionCase[] = [
  {
    type: 'SEND_KEY_REQUEST',
    by: 'appLogic',
    sender: 'target',
    body: () => request(70),
    effect: async (_, __, { device, target }) => {
      await device.pull()
      const found = [...device.mirror.keyRequests.values()].filter(({ senId }) => senId === target.id)
      assert.equal(
        found.map(({ senSeq, type, tempKey, signature }) => ({ senSeq, type, tempKey, signature })),
        [{ senSeq: 70, type: 1, tempKey: bytes(32), signature: bytes(64) }]
      )
      assert.equal((await target.pull()).krq ?? [], [], 'whoever asked is not told of it')
    },
    versions: () => [],
    notify: 2,
    refused: () => ({
      'a key of 31 bytes': { tempKey: bytes(31) },
      'a signature of 63 bytes': { signature: bytes(63) },
      'another kind of data': { dataType: 3 },
      'a device and a category': { deviceId: newId(), categoryId: newId() }
    })
  },
  {
    type: 'REPLY_TO_KEY_REQUEST',
    by: 'appLogic',
    prepare: scene => ask(scene, 80),
    body: ({ rsn }) => ({ rsn, tempKey: bytes(32, 2), encryptedKey: bytes(16, 3), signature: bytes(64, 4) }),
    effect: async (_, { dsn }, { device, watcher }) => {
      const { kr } = await watcher.pull()
      assert.equal(
        kr.map(({ sender, rqSeq, tempKey, cryptKey, signature }: any) => [sender, rqSeq, tempKey, cryptKey, signature]),
        [[device.id, dsn, bytes(32, 2), bytes(16, 3), bytes(64, 4)]]
      )
      const again = await watcher.pullWith({ ...watcher.mirror.status(), kr: 0 })
      assert.is(again.kr.length, 1, 'a reply is told until it is acked')
      assert.is((await watcher.pull()).kr, undefined)
      assert.is((await watcher.pullWith({ ...watcher.mirror.status(), kr: 0 })).kr, undefined, 'what was acked is gone')
    },
    versions: () => [],
    notify: 0,
    refused: () => ({ 'a key of 31 bytes': { tempKey: bytes(31) }, 'a signature of 63 bytes': { signature: bytes(63) } })
  },
  {
    type: 'FINISH_KEY_REQUEST',
    by: 'appLogic',
    prepare: async scene => {
      await scene.target.act(scene.target.appLogic({ type: 'SEND_KEY_REQUEST', ...request(90) }))
    },
    sender: 'target',
    body: () => ({ dsn: 90 }),
    effect: async (_, __, { device, target }) => {
      const { krq = [] } = await device.pullWith({ ...device.mirror.status(), kri: 0 })
      assert.equal(
        krq.filter(({ senId, senSeq }: any) => senId === target.id && senSeq === 90),
        []
      )
    },
    versions: () => [],
    notify: 0
  },
  {
    type: 'PING',
    by: 'appLogic',
    prepare: async () => newId(),
    body: (token, { target }) => ({ deviceId: target.id, event: 'ping', token }),
    effect: async (_, token, { device, target }) => {
      const told = [{ deviceId: device.id, token, type: 'ping' }]
      assert.equal([await pingsOf(target), await pingsOf(target)], [told, told], 'told until it is answered')
      await target.act(target.appLogic({ type: 'PING', deviceId: device.id, event: 'pong', token }))
      assert.equal([await pingsOf(target), await pingsOf(device)], [[], [{ deviceId: target.id, token, type: 'pong' }]])
      await device.act(device.appLogic({ type: 'PING', deviceId: target.id, event: 'clear', token }))
      assert.equal(await pingsOf(device), [])
    },
    versions: () => [],
    notify: 0,
    tellsTarget: 2,
    refused: () => ({ 'another event': { event: 'pang' }, 'no token': { token: 'abc' } })
  },
  {
    type: 'ADD_PARENT_U2F',
    by: 'parent',
    prepare: async scene => scene.addUser('parent'),
    actor: user => user,
    body: () => ({ keyHandle: bytes(64, 5), publicKey: bytes(65, 6) }),
    effect: (after, user) => {
      const { a, ...key } = after.u2f.d.find(({ u }) => u === user.id)
      assert.type(a, 'number')
      assert.equal(key, { u: user.id, h: bytes(64, 5), p: bytes(65, 6) })
    },
    versions: () => ['u2f'],
    notify: 1
  },
  {
    type: 'REMOVE_PARENT_U2F',
    by: 'parent',
    prepare: async scene => {
      const user = await scene.addUser('parent')
      const { device } = scene
      await device.act(device.parent(user, { type: 'ADD_PARENT_U2F', keyHandle: bytes(64, 7), publicKey: bytes(65, 8) }))
      return user
    },
    actor: user => user,
    body: () => ({ keyHandle: bytes(64, 7), publicKey: bytes(65, 8) }),
    effect: (after, user) =>
      assert.equal(
        after.u2f.d.filter(({ u }) => u === user.id),
        []
      ),
    versions: () => ['u2f'],
    notify: 2
  }
]
