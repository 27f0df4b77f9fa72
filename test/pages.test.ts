import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { suite } from './util/suite.ts'

const root = join(fileURLToPath(new URL('.', import.meta.url)), '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const PAGES = ['README.md', 'SECURITY.md', 'test/README.md', 'test/hostile/README.md']
const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.test.ts'))

const test = suite('pages')

/** The numbered promises, without what a page adds below each. */
const promisesOf = (page: string): string[] => read(page).match(/^\d\. \*\*[A-Z].*$/gm) ?? []

test('SECURITY.md promises what the README does, word for word', () => {
  assert.is(promisesOf('README.md').length, 8)
  assert.equal(promisesOf('SECURITY.md'), promisesOf('README.md'))
})

test('a test that a page names, by a command or as `stories/kill`, is there', () => {
  const missing = PAGES.flatMap(page => {
    const text = read(page)
    const commands = text.matchAll(/npm (?:test|run test:long) -- ([a-z][^\s`]*)/g)
    const named = text.matchAll(/`((?:stories|long|hostile|simulation|core|storage|client)\/[a-z/-]+)`/g)
    return [...commands, ...named]
      .map(([, name]) => name!)
      .filter(name => !tests.some(file => file.includes(name)))
      .map(name => `${page}: ${name}`)
  })
  assert.equal(missing, [])
})

test('a link to a file leads to one', () => {
  const broken = PAGES.flatMap(page =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => join(dirname(page), target!))
      .filter(target => {
        try {
          return readdirSync(join(root, target)) === undefined
        } catch (error) {
          return (error as NodeJS.ErrnoException).code !== 'ENOTDIR'
        }
      })
      .map(target => `${page}: ${target}`)
  )
  assert.equal(broken, [])
})

test.run()
