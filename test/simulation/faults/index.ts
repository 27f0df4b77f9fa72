import '../world/platform.ts'
import { APP_FAULTS } from './app-faults.ts'
import { CONNECTION_FAULTS } from './connection-faults.ts'
import { CORE_FAULTS } from './core-faults.ts'
import type { Fault } from './fault.ts'
import { STORE_FAULTS } from './store-faults.ts'

/** Every fault that the simulation must find. None of them is in the sources: they wrap ports, or patch a class in the test's own process. */
export const FAULTS: readonly Fault[] = [...STORE_FAULTS, ...CONNECTION_FAULTS, ...CORE_FAULTS, ...APP_FAULTS]
