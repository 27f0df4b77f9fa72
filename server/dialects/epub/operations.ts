import type { Clock } from '../../core/ports.ts'
import { operation, type Operation } from './operation.ts'
import { OneByOne } from '../one-by-one.ts'
import * as siblings from './siblings.ts'
import type { Caller, SignInParts } from './sign-in.ts'
import { synchronize } from './synchronize.ts'

/** What the operations work on. */
export interface EpubParts extends SignInParts {
  readonly clock: Clock
  /** Does the work of one device after what it began before. */
  readonly oneByOne: <T>(caller: Caller, work: () => Promise<T>) => Promise<T>
}

/** The operations of the API. */
export function createOperations(given: Omit<EpubParts, 'oneByOne'>): readonly Operation[] {
  const queues = new OneByOne()
  const parts: EpubParts = {
    ...given,
    oneByOne: ({ account, device }, work) => queues.run(`${account.id}\n${device}`, work)
  }
  const model = { type: 'SynchronizationModel', parameter: 'model' } as const
  return [
    operation<'SynchronizationModel', 'SynchronizationModel'>({
      method: 'POST',
      path: '/api/synchronization/synchronize',
      reads: model,
      gives: 'SynchronizationModel',
      run: call => synchronize(parts, call)
    }),
    operation<'bool', 'SynchronizationModel'>({
      method: 'POST',
      path: '/api/synchronization/registerdevice',
      reads: model,
      gives: 'bool',
      run: call => siblings.registerDevice(parts, call)
    }),
    operation<'SynchronizationModel'>({
      method: 'GET',
      path: '/api/synchronization/downloadinitialcontent',
      reads: undefined,
      gives: 'SynchronizationModel',
      run: call => siblings.downloadInitialContent(parts, call)
    }),
    operation<'position[]', 'position[]'>({
      method: 'POST',
      path: '/api/markings/postmarkingsapp',
      reads: { type: 'position[]', parameter: 'positions' },
      gives: 'position[]',
      run: call => siblings.postMarkingsApp(parts, call)
    }),
    operation<'position', 'position'>({
      method: 'POST',
      path: '/api/markings/editnote',
      reads: { type: 'position', parameter: 'position' },
      gives: 'position',
      run: call => siblings.editNote(parts, call)
    }),
    operation<'position[]', 'position[]'>({
      method: 'POST',
      path: '/api/markings/removemarkings',
      reads: { type: 'position[]', parameter: 'positions' },
      gives: 'position[]',
      run: call => siblings.removeMarkings(parts, call)
    }),
    operation<'position'>({
      method: 'GET',
      path: '/api/markings/getmarkingbyid',
      reads: undefined,
      gives: 'position',
      run: call => siblings.getMarkingById(parts, call)
    })
  ]
}
