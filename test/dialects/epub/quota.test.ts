import * as assert from 'uvu/assert'
import { restHub } from '../../util/rest-hub.ts'
import { suite } from '../../util/suite.ts'
import { bookNumber, marking, readingApp } from './reading-app.ts'

const test = suite('dialects/epub/quota')

const MAX_MIB = 2
const NOTE = 'n'.repeat(60_000)

test('a full account is read by the installations that it has, lets in no new one, and grows by neither', async context => {
  const hub = await restHub(context, { maxAccountMiB: String(MAX_MIB) })
  if (hub.own === undefined) return
  const account = await hub.own.hub.ensureAccount(hub.own.directory.find(hub.account)!.id)
  const [writer, reader] = [readingApp(hub), readingApp(hub)]
  await reader.synchronize()
  for (let isFull = false; !isFull;) {
    const number = bookNumber()
    const Markings = Array.from({ length: 30 }, () => marking(number, { note: NOTE }))
    const { status, json } = await writer.send(writer.model({ Markings }))
    assert.is(status, 200)
    isFull = json.IsSuccess === false
  }
  const { heldBytes, head } = account
  const over = heldBytes - MAX_MIB * 1_048_576
  assert.ok(over >= 0 && over < 130_000, `${over} bytes over`)
  const told = await reader.synchronize()
  assert.ok(told['Markings'].length > 0 && told['Markings'].every(({ note }: { note: string }) => note === NOTE))
  const fresh = readingApp(hub)
  assert.is((await fresh.send(fresh.model())).status, 507)
  assert.is(account.views.get('devices', `epub-1-${fresh.id}`), undefined)
  assert.equal([account.heldBytes, account.head], [heldBytes, head])
})

test.run()
