"""What a command shows on a terminal, with rich: the summary of an analysis, a trace as a tree, what a bundle holds, a matrix.

Texts of the bundle are cleaned and put in as plain `Text`, never as markup. The plain forms for pipes are in `analyzer.report.text`.
"""
