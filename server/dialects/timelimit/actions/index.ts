import type { Actor } from '../acting.ts'
import type { Rows } from '../row.ts'
import { PARENT_CATEGORIES } from './categories.ts'
import { PARENT_CATEGORY_APPS } from './category-apps.ts'
import { DEVICE_REPORTS } from './device-reports.ts'
import { PARENT_DEVICES } from './devices.ts'
import { DEVICE_TASKS, PARENT_EXTRA_TIME } from './extra-time.ts'
import { HUB_ACTIONS } from './hub.ts'
import { DEVICE_KEYS, PARENT_KEYS } from './keys.ts'
import { PARENT_RULES } from './rules.ts'
import { DEVICE_USED_TIMES } from './used-times.ts'
import { CHILD_ACTIONS, PARENT_USERS } from './users.ts'

/** Every type of action, by who sends it. Adding one is adding its row. */
export const ACTION_ROWS: Readonly<Record<Actor, Rows>> = {
  appLogic: { ...DEVICE_USED_TIMES, ...DEVICE_TASKS, ...DEVICE_REPORTS, ...DEVICE_KEYS },
  parent: {
    ...PARENT_USERS,
    ...PARENT_DEVICES,
    ...PARENT_CATEGORIES,
    ...PARENT_CATEGORY_APPS,
    ...PARENT_RULES,
    ...PARENT_EXTRA_TIME,
    ...PARENT_KEYS
  },
  child: CHILD_ACTIONS,
  hub: HUB_ACTIONS
}
