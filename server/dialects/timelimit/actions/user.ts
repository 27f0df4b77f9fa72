import type { User } from '../records.ts'

/** A user of whom nothing is known but who it is. */
export const newUser = (given: Pick<User, 'id' | 'name' | 'type' | 'timeZone'>): User => ({
  password: '',
  secondPasswordSalt: '',
  disableLimitsUntil: 0,
  mail: '',
  currentDevice: '',
  categoryForNotAssignedApps: '',
  relaxPrimaryDevice: false,
  mailNotificationFlags: 0,
  blockedTimes: '',
  flags: 0,
  ...given
})

/** With another category that limits signing in: how long before it does is the category's own. */
export function withLogin(user: User, category: string | undefined): User {
  const { llc, pbd: _, ...others } = user
  if (category === llc) return user
  return category === undefined ? others : { ...others, llc: category }
}
