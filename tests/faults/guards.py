"""The guards of the program, how each is taken out, and which test must then fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """`text` stands once in `file`; with `instead` in its place the guard is gone."""

    name: str
    file: str
    text: str
    instead: str
    test: str


POWER = "tests/faults/test_power.py"
TWO = "tests/faults/test_two.py"
STEP = "tests/trainer/step/test_step_guard.py"
MEMORY = "tests/trainer/step/test_out_of_memory.py"
DISKS = "tests/trainer/run_folder/test_disks.py"
BACKUP = "tests/trainer/test_backup.py"
CACHE = "tests/data/cache/test_store.py"

GUARDS = [
    Guard(
        "a backup is checked by its sums", "modules/trainer/backup.py",
        "if sha256_of(folder / name) != digest]", "if not (folder / name).exists()]",
        f"{BACKUP}::test_a_flipped_bit_in_any_file_is_noticed",
    ),
    Guard(
        "a damaged backup is skipped", "modules/trainer/backup.py",
        "if damage := damage_of(path):", 'if damage := "":',
        f"{POWER}::test_a_backup_that_did_not_reach_the_disk_is_passed_over",
    ),
    Guard(
        "a backup is renamed when it is whole", "modules/trainer/backup.py",
        "    with staged(final) as draft:\n",
        "    final.mkdir(parents=True, exist_ok=True)\n    for draft in [final]:\n",
        f"{BACKUP}::test_kill_9_in_the_middle_of_writing_leaves_the_old_one_and_the_next_clears_up",
    ),
    Guard(
        "the backup just written is not pruned", "modules/trainer/backup.py",
        " if path.name <= newest.name]", "]",
        f"{BACKUP}::test_the_newest_stay_and_the_one_just_written_always",
    ),
    Guard(
        "a backup of other settings is refused", "modules/trainer/backup.py",
        'raise UserError("backup.lacks", folder=folder, part=name)', "raise KeyError(name)",
        "tests/trainer/run_folder/test_resume.py::test_a_backup_made_with_other_settings_is_refused_in_words",
    ),
    Guard(
        "a file is written beside and renamed", "modules/system/files.py",
        'draft = final.with_name(f".{final.name}.{os.getpid()}.part")', "draft = final",
        "tests/formats/test_tensors.py::test_a_disk_that_forgets_is_noticed_and_leaves_the_old_file",
    ),
    Guard(
        "a model is read back", "modules/formats/tensors.py",
        "        compare(tensors, load_file(draft), final)\n", "",
        "tests/formats/test_tensors.py::test_a_disk_that_forgets_is_noticed_and_leaves_the_old_file",
    ),
    Guard(
        "a torn line of events is cut off", "modules/trainer/run_folder/append_log.py",
        "            os.ftruncate(file, end)\n", "            pass\n",
        f"{POWER}::test_a_torn_last_line_of_events_is_taken_away_and_the_rest_can_be_read",
    ),
    Guard(
        "drafts of killed writers go", "modules/trainer/run_folder/resume.py",
        "        delete_drafts(written_by_runs(folder))\n", "",
        f"{POWER}::test_what_a_killed_writer_left_goes_when_the_run_is_continued",
    ),
    Guard(
        "a record of the cache is checked by its sum", "modules/data/cache/shards.py",
        "if head is None or head != (key, len(payload), zlib.crc32(payload)):", "if head is None:",
        f"{CACHE}::test_any_flipped_byte_is_noticed_and_costs_one_record_only",
    ),
    Guard(
        "the torn end of a shard is cut off", "modules/data/cache/shards.py",
        "            self._file.truncate(end)\n", "            pass\n",
        f"{CACHE}::test_nothing_of_a_long_torn_end_is_left_behind_a_short_record",
    ),
    Guard(
        "a shard has one writer, a run one process", "modules/system/locks.py",
        "while not lock_descriptor(handle, blocking=False):", "while False:",
        f"{TWO}::test_a_run_that_is_on_is_not_continued_by_another",
    ),
    Guard(
        "an image that changes while it is read is put aside", "modules/data/cache/fill.py",
        'return pixels if same(row, index.file(row)) else Problem("reason.changed-while-read")', "return pixels",
        f"{TWO}::test_an_image_that_changes_while_it_is_read_is_put_aside",
    ),
    Guard(
        "an image is encoded alone", "modules/data/cache/fill.py",
        "to_cpu(self.encoders.encode_image(pixels_to_tensor([pixels])))",
        "to_cpu(self.encoders.encode_image(pixels_to_tensor([pixels] * (self._unflushed + 1))))",
        f"{TWO}::test_what_is_learnt_does_not_depend_on_what_was_cached_before",
    ),
    Guard(
        "what exists is not replaced at the end", "modules/trainer/run_folder/model_paths.py",
        "            return self._free(wanted)\n", "            return wanted\n",
        f"{TWO}::test_a_model_that_appeared_in_the_meantime_is_not_replaced",
    ),
    Guard(
        "an output that exists is refused", "modules/trainer/run_folder/model_paths.py",
        "if taken and not self.preset.output.overwrite and self.own.step_of(self.wanted) < 0:", "if False:",
        "tests/test_run_bad_input.py::test_an_output_that_exists_is_never_replaced_unasked",
    ),
    Guard(
        "a loss that is NaN is bad", "modules/trainer/step/step_guard.py",
        "torch.cat([~measured_2.isfinite(), measured_2 > limit_2])",
        "torch.cat([measured_2 > torch.inf, measured_2 > limit_2])",
        f"{STEP}::test_what_is_no_number_is_bad_from_the_first_step_on",
    ),
    Guard(
        "a spike is bad", "modules/trainer/step/step_guard.py",
        "torch.cat([~measured_2.isfinite(), measured_2 > limit_2])",
        "torch.cat([~measured_2.isfinite(), measured_2 > torch.inf])",
        f"{STEP}::test_a_spike_is_left_out_and_an_ordinary_run_has_none",
    ),
    Guard(
        "a bad step is not taken", "modules/trainer/step/optimizers.py",
        "            if not bool(bad):\n                self._apply(step)\n", "            self._apply(step)\n",
        f"{STEP}::test_a_bad_step_leaves_weights_and_state_bit_for_bit",
    ),
    Guard(
        "the average leaves a bad step out", "modules/trainer/step/ema.py",
        "    if bad is None:\n        value.lerp_", "    if True:\n        value.lerp_",
        f"{STEP}::test_the_moving_average_stays_bit_for_bit_in_a_bad_step_and_moves_as_ever_in_a_good_one",
    ),
    Guard(
        "repeated bad steps end patience", "modules/trainer/step/step_guard.py",
        "return self.settings.enabled and len(self._bad) >= self.settings.patience", "return False",
        f"{STEP}::test_after_several_bad_steps_the_run_goes_back_to_its_backup_and_on",
    ),
    Guard(
        "broken weights are not backed up", "modules/trainer/step/learner.py",
        "        return bool(largest.isfinite())\n", "        return bool(largest.isfinite()) or True\n",
        f"{STEP}::test_weights_that_are_no_numbers_are_neither_backed_up_nor_saved_and_the_run_goes_back",
    ),
    Guard(
        "a batch that has no room is taken in parts", "modules/trainer/step/out_of_memory.py",
        "        if size == 1:\n            return None\n", "        if size:\n            return None\n",
        f"{MEMORY}::test_a_batch_in_parts_learns_what_the_whole_would_have",
    ),
    Guard(
        "a sample that fails ends nothing", "modules/trainer/run_folder/run_writer.py",
        "            self._report_failure(error)\n        else:", "            raise\n        else:",
        f"{MEMORY}::test_failing_samples_never_end_a_run_nor_change_what_is_learnt",
    ),
    Guard(
        "a full disk is waited for", "modules/trainer/run_folder/disk_retry.py",
        "                if trouble is None:\n                    raise\n", "                raise\n",
        "tests/trainer/run_folder/test_disk_retry.py::test_a_full_disk_is_waited_for_and_told_once_with_its_figures",
    ),
    Guard(
        "a folder that has gone is not made anew", "modules/trainer/run_folder/run_writer.py",
        "if self.folder in place.parents and not self.folder.is_dir():", "if False:",
        f"{DISKS}::test_a_folder_that_vanishes_is_waited_for_and_never_made_anew_unasked",
    ),
    Guard(
        "SIGTERM and a closed terminal end gently", "app/follow.py",
        'for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):', 'for name in ("SIGINT",):',
        "tests/app/test_follow.py::test_being_ended_from_outside_stops_gently",
    ),
    Guard(
        "a closed pipe ends the engine", "modules/engine.py",
        "        self.execute(Quit())\n\n    def _answer", "\n    def _answer",
        "tests/test_engine.py::test_a_run_answers_on_the_side_and_backs_up_and_ends_when_the_window_dies",
    ),
    Guard(
        "a pickle runs no code", "modules/system/weights/files.py",
        'map_location="cpu", weights_only=True,', 'map_location="cpu", weights_only=False,',
        "tests/system/test_weights.py::test_code_in_a_pickle_never_runs",
    ),
    Guard(
        "an image has at most so many pixels", "modules/data/scan/perceptual_hash.py",
        "            if reason := too_large(image):", "            if False:",
        "tests/data/scan/test_perceptual_hash.py::test_a_bomb_is_not_decoded",
    ),
    Guard(
        "TensorBoard listens on this computer", "app/gui/tools/tensorboard.py",
        'HOST = "127.0.0.1"', 'HOST = "0.0.0.0"',
        f"{TWO}::test_tensorboard_listens_on_this_computer_only",
    ),
]  # fmt: skip
