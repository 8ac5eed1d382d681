import { z } from 'zod'

/** The fields of a schema that have none of their own, by name. */
export function leavesOf(schema: z.core.$ZodType, name = ''): [string, z.ZodType][] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([field, inner]) => leavesOf(inner, field))
  }
  if (schema instanceof z.ZodArray) return leavesOf(schema.element, name)
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option) => leavesOf(option, name))
  }
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault
  ) {
    return leavesOf(schema.unwrap(), name)
  }
  return [[name, schema as z.ZodType]]
}
