import * as assert from 'uvu/assert'
import { servingHub } from '../../util/serving-hub.ts'
import { suite } from '../../util/suite.ts'

const test = suite('server/dashboard/route')

const FILES = { '/': 'text/html', '/dashboard/main.js': 'text/javascript', '/dashboard/style.css': 'text/css' }

test('the page and what it loads come with a policy that lets nothing else run, and are sent again only once they changed', async context => {
  const { url } = await servingHub(context)
  for (const [path, type] of Object.entries(FILES)) {
    const response = await fetch(url + path)
    const { headers } = response
    assert.equal([response.status, headers.get('content-type')], [200, `${type}; charset=utf-8`], path)
    assert.match(headers.get('content-security-policy')!, /default-src 'none'; script-src 'self';.*frame-ancestors 'none'/)
    assert.ok((await response.arrayBuffer()).byteLength > 100, path)
    const again = await fetch(url + path, { headers: { 'if-none-match': headers.get('etag')! } })
    assert.equal([again.status, await again.text()], [304, ''], path)
  }
})

test('nothing of a library, and no other file, is served to who has not signed in', async context => {
  const { url } = await servingHub(context)
  for (const path of ['/dashboard', '/dashboard/', '/dashboard/main.ts', '/dashboard/..%2froute.ts', '/dashboard/tsconfig.json'])
    assert.is((await fetch(url + path)).status, 404, path)
})

test.run()
