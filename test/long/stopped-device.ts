import { connectNode } from '../../client/node.ts'

/**
 * A device in a process of its own, so that it can be stopped: it writes one setting after the other, each when the one before is acked, and prints the
 * number of each.
 *
 * Arguments: the hub's address, a token, the file of the outbox.
 */
const [url, token, file] = process.argv.slice(2) as [string, string, string]
const client = await connectNode({ url, token, file })
for (let count = 1; ; count++) {
  await client.submit('setting.put', 'count', { value: count })
  process.stdout.write(`${count}\n`)
  await new Promise(resolve => setTimeout(resolve, 20))
}
