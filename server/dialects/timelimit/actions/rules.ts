import { bool, map, opt } from '../../../../protocol/index.ts'
import type { FamilyChange } from '../family-change.ts'
import { flags, id, minute, whole } from '../forms.ts'
import type { Rule } from '../records.ts'
import { mustHaveRoom, refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { own } from './categories.ts'
import { carryUse, MAX_COUNTED_RULES } from './used-times.ts'

const MAX_RULES = 4_096
/** One bit for each day of the week. */
const DAYS = 127

const fields = {
  ruleId: id,
  time: whole(0),
  days: flags(DAYS),
  extraTime: bool,
  start: opt(minute),
  end: opt(minute),
  dur: opt(whole(0)),
  pause: opt(whole(0)),
  perDay: opt(bool),
  e: opt(whole(1))
} as const

/** What parents do about rules. */
export const PARENT_RULES: Rows = {
  CREATE_TIMELIMIT_RULE: row({
    fields: { rule: map({ categoryId: id, ...fields }) },
    selfLimit: true,
    versions: ['rules'],
    tell: 2,
    text: `a new rule of a category; a child makes one where there are fewer than ${MAX_COUNTED_RULES}`,
    judge(family, { rule: { categoryId } }, by) {
      if (!by.isSelfLimit) return
      const count = family.all('rule').filter(([, rule]) => rule.categoryId === categoryId).length
      if (count >= MAX_COUNTED_RULES)
        refuse('quota-exceeded', `a child limits itself by at most ${MAX_COUNTED_RULES} rules in a category`)
    },
    effect(family, { rule: { categoryId, ...given } }, by) {
      own(family, categoryId, by)
      if (family.get('rule', given.ruleId) !== undefined) refuse('already-exists', `there is a rule ${given.ruleId} already`)
      mustHaveRoom(family.all('rule').length, MAX_RULES, 'rules', by)
      setRule(family, categoryId, ruleOf(given))
    }
  }),
  UPDATE_TIMELIMIT_RULE: row({
    fields,
    selfLimit: true,
    versions: ['rules', 'usedTime'],
    tell: 2,
    text: 'the rule as a whole: what is left out is as in a new one. A child makes it at least as strict as it is, and what was used under it counts on',
    effect(family, given, by) {
      const { categoryId, rule: before } = family.rule(given.ruleId)
      own(family, categoryId, by)
      const rule = ruleOf(given)
      by.mustTighten(isAsStrict(rule, before))
      if (by.isSelfLimit) carryUse(family, categoryId, before, rule)
      setRule(family, categoryId, rule)
    }
  }),
  DELETE_TIMELIMIT_RULE: row({
    fields: { ruleId: id },
    versions: ['rules'],
    tell: 2,
    text: 'the rule is gone',
    effect(family, { ruleId }) {
      const { categoryId } = family.rule(ruleId)
      family.remove('rule', ruleId)
      family.renewPart(categoryId, 'rules')
    }
  })
}

interface GivenRule {
  readonly ruleId: string
  readonly time: number
  readonly days: number
  readonly extraTime: boolean
  readonly start?: number
  readonly end?: number
  readonly dur?: number
  readonly pause?: number
  readonly perDay?: boolean
  readonly e?: number
}

function ruleOf({
  ruleId,
  time,
  days,
  extraTime,
  start = 0,
  end = 1_439,
  dur = 0,
  pause = 0,
  perDay = false,
  e
}: GivenRule): Rule {
  if (end < start) refuse('bad-action', 'the rule ends before it starts')
  return {
    id: ruleId,
    extraTime,
    dayMask: days,
    maxTime: time,
    start,
    end,
    session: dur,
    pause,
    perDay,
    ...(e !== undefined && { e })
  }
}

function setRule(family: FamilyChange, categoryId: string, rule: Rule): void {
  family.put('rule', rule.id, { categoryId, rule })
  family.renewPart(categoryId, 'rules')
}

/** True when a rule limits at least what it did. */
function isAsStrict(rule: Rule, before: Rule): boolean {
  const hadSessions = before.session > 0 && before.pause > 0
  const daysBefore = before.dayMask.toString(2).replaceAll('0', '').length
  return (
    rule.maxTime <= before.maxTime &&
    (before.dayMask & ~rule.dayMask) === 0 &&
    (rule.extraTime || !before.extraTime) &&
    rule.start <= before.start &&
    rule.end >= before.end &&
    (!hadSessions || (rule.session > 0 && rule.session <= before.session && rule.pause >= before.pause)) &&
    (!rule.perDay || before.perDay || daysBefore <= 1) &&
    (rule.e === undefined || (before.e !== undefined && rule.e >= before.e))
  )
}
