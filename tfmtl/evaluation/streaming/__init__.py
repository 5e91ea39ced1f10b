"""Evaluation of rows that come batch by batch: sums instead of rows, and intervals from sums.

`stream` holds the first million rows back; from them `sums` decides the slices (`values`), the
groups of users (`clusters`) and the bins of predictions (`bins`), and then adds all rows to sums by
slice, group and bin (`tally`). What is summed for a kind of task, and the formulas, are in the
kind's own file. A replicate of the bootstrap weighs the groups anew (`bootstrap`), so that its
figures are the formulas of other sums, one matrix product a slice.
"""
