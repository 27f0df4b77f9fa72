import { str } from '../../../../protocol/index.ts'
import type { Acting } from '../acting.ts'
import type { FamilyChange } from '../family-change.ts'
import { distinct, id } from '../forms.ts'
import { refuse } from '../refuse.ts'
import { row, type Rows } from '../row.ts'
import { own } from './categories.ts'

const MAX_APPS = 10_000

const fields = { categoryId: id, packageNames: distinct(str(512, 1), MAX_APPS) }

/** Which apps are in which category. */
export const PARENT_CATEGORY_APPS: Rows = {
  ADD_CATEGORY_APPS: row({
    fields,
    selfLimit: true,
    versions: ['apps'],
    tell: 2,
    text: 'the apps are in this category, and in no other of the child. A child moves them further in only',
    effect: addApps
  }),
  REMOVE_CATEGORY_APPS: row({
    fields,
    versions: ['apps'],
    tell: 2,
    text: 'the apps are in no category',
    effect(family, { categoryId, packageNames }) {
      family.category(categoryId)
      const gone = new Set(packageNames)
      setApps(
        family,
        categoryId,
        appsOf(family, categoryId).filter(app => !gone.has(app))
      )
    }
  })
}

const appsOf = (family: FamilyChange, category: string): readonly string[] => family.get('categoryApps', category)?.apps ?? []

function setApps(family: FamilyChange, category: string, apps: readonly string[]): void {
  family.put('categoryApps', category, { apps })
  family.renewPart(category, 'apps')
}

function addApps(
  family: FamilyChange,
  { categoryId, packageNames }: { categoryId: string; packageNames: readonly string[] },
  by: Acting
): void {
  const { childId } = own(family, categoryId, by).base
  const added = new Set(packageNames)
  const around = family.withOuter(categoryId)
  const assigned = new Set<string>()
  for (const { base } of family.categoriesOf(childId)) {
    const before = appsOf(family, base.categoryId)
    const moved = before.filter(app => added.has(app))
    for (const app of moved) assigned.add(app)
    if (moved.length === 0 || base.categoryId === categoryId) continue
    by.mustTighten(around.includes(base.categoryId))
    setApps(
      family,
      base.categoryId,
      before.filter(app => !added.has(app))
    )
  }
  // An app of no category counts to the one for such apps; without one it is blocked. An activity of an app is with its app.
  const takesUnassigned = around.includes(family.get('user', childId)?.user.categoryForNotAssignedApps ?? '')
  by.mustTighten(takesUnassigned || packageNames.every(app => assigned.has(app) || app.includes(':')))
  const kept = appsOf(family, categoryId).filter(app => !added.has(app))
  if (kept.length + added.size > MAX_APPS) refuse('quota-exceeded', `a category has at most ${MAX_APPS} apps`)
  setApps(family, categoryId, [...kept, ...packageNames])
}
