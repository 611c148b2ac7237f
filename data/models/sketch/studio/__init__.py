# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete family of the bundled model: scenes, networks, training, export, judge. See README.md beside this file."""

DATA_VERSION = 1  # raise it when a seed no longer draws the same scene, or captions, vocabulary or conditions change
