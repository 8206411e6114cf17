/** Kinds of numbers that settings are. */
import * as z from 'zod';

export const count = z.number().int().min(1);
export const countOrNone = z.number().int().min(0);
export const positive = z.number().positive();
export const notNegative = z.number().min(0);
export const fraction = z.number().min(0).max(1);
