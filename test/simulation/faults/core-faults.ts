import * as Y from 'yjs'
import { encodeName, encodeValue } from '../../../protocol/index.ts'
import { Account } from '../../../server/core/account.ts'
import { digest } from '../../../server/core/digest.ts'
import { Document } from '../../../server/core/documents/document.ts'
import { Sender } from '../../../server/core/sender.ts'
import { Session } from '../../../server/core/session.ts'
import { Views } from '../../../server/core/views.ts'
import { patched } from '../world/patched.ts'
import type { Fault } from './fault.ts'

const wrong = (name: string, breaks: Fault['breaks'], patch: () => () => void): Fault => ({
  name,
  breaks,
  plant: () => ({ patch })
})

/** What the core may do wrong. */
export const CORE_FAULTS: readonly Fault[] = [
  wrong('it appends a repeat again', 'exactly once', () =>
    patched(Account.prototype, 'submit', submit => {
      return function (this: Account, origin, ...rest) {
        const record = this.views.edit('clients', [origin.device, origin.client], () => ({ lastNumber: 0, answers: [] }))
        record.lastNumber = 0
        record.answers = []
        return submit.call(this, origin, ...rest)
      }
    })
  ),
  wrong('it takes other content for a repeat', 'exactly once', () =>
    patched(Account.prototype, 'submit', submit => {
      return function (this: Account, origin, confirmed, actions, submitter) {
        const record = this.views.edit('clients', [origin.device, origin.client], () => ({ lastNumber: 0, answers: [] }))
        record.answers = record.answers.map(answer => {
          const other = actions.find(([number]) => number === answer[0])
          if (other === undefined) return answer
          const [number, , ...rest] = answer
          const [, , kind, key, body] = other
          return [number, digest([encodeName(kind), encodeName(key), encodeValue(body)]), ...rest] as typeof answer
        })
        return submit.call(this, origin, confirmed, actions, submitter)
      }
    })
  ),
  wrong('it forgets answers that were not confirmed', 'exactly once', () =>
    patched(Account.prototype, 'submit', submit => {
      return function (this: Account, origin, _, ...rest) {
        return submit.call(this, origin, this.lastNumber(origin.device, origin.client), ...rest)
      }
    })
  ),
  wrong('it shows a view before that is durable', 'durable', () =>
    patched(Account.prototype, 'settled', () => () => Promise.resolve())
  ),
  wrong('it keeps an update that it refused', 'convergence', () =>
    patched(Document.prototype, 'apply', apply => {
      return function (this: Document, update, device) {
        try {
          return apply.call(this, update, device)
        } catch (error) {
          try {
            Y.applyUpdate(this.doc, update)
          } catch {
            // What came before the fault is in the document.
          }
          throw error
        }
      }
    })
  ),
  wrong('it folds one position less', 'convergence', () => {
    let count = 0
    return patched(Views.prototype, 'put', put => {
      return function (this: Views, table, key, value) {
        if (table !== 'positions' || ++count % 5 !== 0) put.call(this, table, key, value)
      }
    })
  }),
  wrong('it shows no book that was removed', 'nothing vanishes', () =>
    patched(Views.prototype, 'range', range => {
      return function (this: Views, table, ...rest) {
        return range
          .call(this, table, ...rest)
          .filter(([, value]) => table !== 'books' || !(value as { removed: boolean }).removed)
      } as typeof range
    })
  ),
  wrong('it goes on talking to a device that was revoked', 'isolation', () =>
    patched(Session.prototype, 'end', end => {
      return function (this: Session, reason) {
        if (reason.code !== 'device-revoked' || this.device === '') end.call(this, reason)
      }
    })
  ),
  wrong('it lets a revoked device in again', 'isolation', () => {
    // What is open ends as it should.
    let isCuttingOff = false
    const recheckAgain = patched(Account.prototype, 'recheck', recheck => {
      return function (this: Account, device) {
        isCuttingOff = true
        recheck.call(this, device)
        isCuttingOff = false
      }
    })
    const getAgain = patched(Views.prototype, 'get', get => {
      return function (this: Views, table, ...key) {
        const record = get.call(this, table, ...key)
        return table === 'devices' && record !== undefined && !isCuttingOff ? { ...record, revoked: false } : record
      } as typeof get
    })
    return () => {
      getAgain()
      recheckAgain()
    }
  }),
  wrong('it does not read on for a session that was slow', 'catch-up', () =>
    patched(Sender.prototype, 'moved', () => () => undefined)
  )
]
