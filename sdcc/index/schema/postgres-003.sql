-- The index on PostgreSQL, version 3: when studies have become complete, and who is still to be told.

-- When no object of the study had come for so long that it counts as complete; NULL: objects have come since. Of studies
-- that were there before, and are no news to anybody, it is their last reception.
ALTER TABLE study ADD COLUMN stable_at timestamptz;

UPDATE study SET stable_at = (
    SELECT max(received_at) FROM series JOIN instance USING (series_key) WHERE series.study_key = study.study_key);

-- Also for the few that are not stable, in the order of keys.
CREATE INDEX study_by_stable_at ON study (stable_at, study_key);

-- Who is still to be told that a study is stable. Of a study that has changed since, or is no more, a row means nothing
-- and goes away by itself: registration does not look here.
CREATE TABLE notice (
    study_key                       bigint NOT NULL,
    means                           text NOT NULL,          -- 'command' or 'post'
    stable_at                       timestamptz NOT NULL,   -- of the study, when this was written
    due                             timestamptz NOT NULL,   -- not before; while a process is at it: when others take it for dead
    PRIMARY KEY (study_key, means)
);

CREATE INDEX notice_by_due ON notice (means, due);


-- Registers a group of objects, each as it is described, a SOP Instance UID once.
--
-- given: the rows of the levels, {"study": […], "series": […], "instance": […]}, a JSON object a row with its
-- columns that are not NULL; those of "series" and "instance" also have the UIDs of the levels above.
--
-- The result: for the objects that took the place of another, SOP Instance UID and the path before. Of a group
-- that is registered already it is the same again, and nothing is changed.
CREATE OR REPLACE FUNCTION sdcc_register(given jsonb) RETURNS TABLE (uid text, path_before text) LANGUAGE plpgsql
-- The plans are kept while the tables grow.
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    uids text[] := ARRAY(SELECT item ->> 'sop_instance_uid' FROM jsonb_array_elements(given -> 'instance') AS item);
    paths text[] := ARRAY(SELECT item ->> 'path' FROM jsonb_array_elements(given -> 'instance') AS item);
    before_uids text[];
    before_paths text[];
    before_series bigint[];
    before_studies bigint[];
    before_study_uids text[];
BEGIN
    PERFORM sdcc_lock(1, uids);
    IF EXISTS (SELECT FROM gone WHERE path = ANY (paths)) THEN
        RAISE EXCEPTION 'a file that was given up or replaced cannot be registered' USING ERRCODE = 'SDCC1';
    END IF;

    SELECT array_agg(sop_instance_uid), array_agg(path), array_agg(series_key),
           array_agg(study_key), array_agg(study_instance_uid)
    INTO before_uids, before_paths, before_series, before_studies, before_study_uids
    FROM instance JOIN series USING (series_key) JOIN study USING (study_key)
    WHERE sop_instance_uid = ANY (uids);

    -- Of those whose rows name their files already, the path before is where it was noted.
    RETURN QUERY
        SELECT before.uid, coalesce(gone.path, nullif(before.path, given.path))
        FROM unnest(before_uids, before_paths) AS before (uid, path)
        JOIN unnest(uids, paths) AS given (uid, path) ON given.uid = before.uid
        LEFT JOIN gone ON successor = given.path
        WHERE gone.path IS NOT NULL OR before.path <> given.path;
    IF paths <@ before_paths THEN
        RETURN;
    END IF;

    PERFORM sdcc_lock(2, before_study_uids || ARRAY(
        SELECT item ->> 'study_instance_uid' FROM jsonb_array_elements(given -> 'study') AS item));

    -- Of study and series the newest value stays, the earlier one where the newest object holds none. A row that
    -- holds all that is given already is not written; a study's is where it was stable, which it is no longer.
    INSERT INTO study AS old (
        study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex,
        study_id, study_date, study_time, accession_number, referring_physician_name, study_description,
        patient_birth_time, other_patient_ids, ethnic_group, patient_age, patient_size, patient_weight,
        occupation, patient_comments, additional_patient_history, admitting_diagnoses_description,
        name_of_physicians_reading_study, procedure_code_sequence, patient_name_alphabetic,
        patient_name_ideographic, patient_name_phonetic, referring_physician_name_folded,
        name_of_physicians_reading_study_folded)
    SELECT
        study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex,
        study_id, study_date, study_time, accession_number, referring_physician_name, study_description,
        patient_birth_time, other_patient_ids, ethnic_group, patient_age, patient_size, patient_weight,
        occupation, patient_comments, additional_patient_history, admitting_diagnoses_description,
        name_of_physicians_reading_study, procedure_code_sequence, patient_name_alphabetic,
        patient_name_ideographic, patient_name_phonetic, referring_physician_name_folded,
        name_of_physicians_reading_study_folded
    FROM jsonb_populate_recordset(NULL::study, given -> 'study')
    ON CONFLICT (study_instance_uid) DO UPDATE SET
        patient_id = coalesce(excluded.patient_id, old.patient_id),
        issuer_of_patient_id = coalesce(excluded.issuer_of_patient_id, old.issuer_of_patient_id),
        patient_name = coalesce(excluded.patient_name, old.patient_name),
        patient_birth_date = coalesce(excluded.patient_birth_date, old.patient_birth_date),
        patient_sex = coalesce(excluded.patient_sex, old.patient_sex),
        study_id = coalesce(excluded.study_id, old.study_id),
        study_date = coalesce(excluded.study_date, old.study_date),
        study_time = coalesce(excluded.study_time, old.study_time),
        accession_number = coalesce(excluded.accession_number, old.accession_number),
        referring_physician_name = coalesce(excluded.referring_physician_name, old.referring_physician_name),
        study_description = coalesce(excluded.study_description, old.study_description),
        patient_birth_time = coalesce(excluded.patient_birth_time, old.patient_birth_time),
        other_patient_ids = coalesce(excluded.other_patient_ids, old.other_patient_ids),
        ethnic_group = coalesce(excluded.ethnic_group, old.ethnic_group),
        patient_age = coalesce(excluded.patient_age, old.patient_age),
        patient_size = coalesce(excluded.patient_size, old.patient_size),
        patient_weight = coalesce(excluded.patient_weight, old.patient_weight),
        occupation = coalesce(excluded.occupation, old.occupation),
        patient_comments = coalesce(excluded.patient_comments, old.patient_comments),
        additional_patient_history =
            coalesce(excluded.additional_patient_history, old.additional_patient_history),
        admitting_diagnoses_description =
            coalesce(excluded.admitting_diagnoses_description, old.admitting_diagnoses_description),
        name_of_physicians_reading_study =
            coalesce(excluded.name_of_physicians_reading_study, old.name_of_physicians_reading_study),
        procedure_code_sequence = coalesce(excluded.procedure_code_sequence, old.procedure_code_sequence),
        patient_name_alphabetic = coalesce(excluded.patient_name_alphabetic, old.patient_name_alphabetic),
        patient_name_ideographic = coalesce(excluded.patient_name_ideographic, old.patient_name_ideographic),
        patient_name_phonetic = coalesce(excluded.patient_name_phonetic, old.patient_name_phonetic),
        referring_physician_name_folded =
            coalesce(excluded.referring_physician_name_folded, old.referring_physician_name_folded),
        name_of_physicians_reading_study_folded =
            coalesce(excluded.name_of_physicians_reading_study_folded, old.name_of_physicians_reading_study_folded),
        stable_at = NULL
    WHERE old.stable_at IS NOT NULL OR NOT to_jsonb(old) @> jsonb_strip_nulls(to_jsonb(excluded) - 'study_key');

    INSERT INTO series AS old (
        study_key, series_instance_uid, modality, series_number, series_date, series_time, series_description,
        body_part_examined, laterality, protocol_name, manufacturer, manufacturer_model_name, station_name,
        institution_name, institutional_department_name, performing_physician_name, operators_name,
        frame_of_reference_uid,
        performed_procedure_step_start_date, performed_procedure_step_start_time, performed_procedure_step_id,
        request_attributes_sequence, performing_physician_name_folded, operators_name_folded)
    SELECT
        study.study_key, series_instance_uid, modality, series_number, series_date, series_time, series_description,
        body_part_examined, laterality, protocol_name, manufacturer, manufacturer_model_name, station_name,
        institution_name, institutional_department_name, performing_physician_name, operators_name,
        frame_of_reference_uid,
        performed_procedure_step_start_date, performed_procedure_step_start_time, performed_procedure_step_id,
        request_attributes_sequence, performing_physician_name_folded, operators_name_folded
    FROM jsonb_array_elements(given -> 'series') AS item
    CROSS JOIN jsonb_populate_record(NULL::series, item)
    JOIN study ON study_instance_uid = item ->> 'study_instance_uid'
    ON CONFLICT (study_key, series_instance_uid) DO UPDATE SET
        modality = coalesce(excluded.modality, old.modality),
        series_number = coalesce(excluded.series_number, old.series_number),
        series_date = coalesce(excluded.series_date, old.series_date),
        series_time = coalesce(excluded.series_time, old.series_time),
        series_description = coalesce(excluded.series_description, old.series_description),
        body_part_examined = coalesce(excluded.body_part_examined, old.body_part_examined),
        laterality = coalesce(excluded.laterality, old.laterality),
        protocol_name = coalesce(excluded.protocol_name, old.protocol_name),
        manufacturer = coalesce(excluded.manufacturer, old.manufacturer),
        manufacturer_model_name = coalesce(excluded.manufacturer_model_name, old.manufacturer_model_name),
        station_name = coalesce(excluded.station_name, old.station_name),
        institution_name = coalesce(excluded.institution_name, old.institution_name),
        institutional_department_name =
            coalesce(excluded.institutional_department_name, old.institutional_department_name),
        performing_physician_name = coalesce(excluded.performing_physician_name, old.performing_physician_name),
        operators_name = coalesce(excluded.operators_name, old.operators_name),
        frame_of_reference_uid = coalesce(excluded.frame_of_reference_uid, old.frame_of_reference_uid),
        performed_procedure_step_start_date =
            coalesce(excluded.performed_procedure_step_start_date, old.performed_procedure_step_start_date),
        performed_procedure_step_start_time =
            coalesce(excluded.performed_procedure_step_start_time, old.performed_procedure_step_start_time),
        performed_procedure_step_id =
            coalesce(excluded.performed_procedure_step_id, old.performed_procedure_step_id),
        request_attributes_sequence =
            coalesce(excluded.request_attributes_sequence, old.request_attributes_sequence),
        performing_physician_name_folded =
            coalesce(excluded.performing_physician_name_folded, old.performing_physician_name_folded),
        operators_name_folded = coalesce(excluded.operators_name_folded, old.operators_name_folded)
    WHERE NOT to_jsonb(old) @> jsonb_strip_nulls(to_jsonb(excluded) - 'series_key');

    INSERT INTO instance (
        series_key, sop_instance_uid, sop_class_uid, instance_number, acquisition_date, acquisition_time,
        content_date, content_time, image_type, number_of_frames, samples_per_pixel, photometric_interpretation,
        rows, columns, bits_allocated, path, size, data_set_size, sha256, transfer_syntax_uid, received_at,
        calling_ae, called_ae, calling_address, fault)
    SELECT
        series.series_key, sop_instance_uid, sop_class_uid, instance_number, acquisition_date, acquisition_time,
        content_date, content_time, image_type, number_of_frames, samples_per_pixel, photometric_interpretation,
        rows, columns, bits_allocated, path, size, data_set_size, sha256, transfer_syntax_uid, received_at,
        calling_ae, called_ae, calling_address, fault
    FROM jsonb_array_elements(given -> 'instance') WITH ORDINALITY AS element (item, place)
    CROSS JOIN jsonb_populate_record(NULL::instance, item)
    JOIN study ON study_instance_uid = item ->> 'study_instance_uid'
    JOIN series ON series.study_key = study.study_key AND series_instance_uid = item ->> 'series_instance_uid'
    ORDER BY place
    ON CONFLICT (sop_instance_uid) DO UPDATE SET
        series_key = excluded.series_key, sop_class_uid = excluded.sop_class_uid,
        instance_number = excluded.instance_number, acquisition_date = excluded.acquisition_date,
        acquisition_time = excluded.acquisition_time, content_date = excluded.content_date,
        content_time = excluded.content_time, image_type = excluded.image_type,
        number_of_frames = excluded.number_of_frames, samples_per_pixel = excluded.samples_per_pixel,
        photometric_interpretation = excluded.photometric_interpretation, rows = excluded.rows,
        columns = excluded.columns, bits_allocated = excluded.bits_allocated, path = excluded.path,
        size = excluded.size, data_set_size = excluded.data_set_size, sha256 = excluded.sha256,
        transfer_syntax_uid = excluded.transfer_syntax_uid, received_at = excluded.received_at,
        calling_ae = excluded.calling_ae, called_ae = excluded.called_ae,
        calling_address = excluded.calling_address, fault = excluded.fault;

    IF before_uids IS NOT NULL THEN
        INSERT INTO gone (path, successor)
        SELECT before.path, given.path
        FROM unnest(before_uids, before_paths) AS before (uid, path)
        JOIN unnest(uids, paths) AS given (uid, path) ON given.uid = before.uid AND given.path <> before.path
        ON CONFLICT DO NOTHING;
        DELETE FROM series WHERE series_key = ANY (before_series)
            AND NOT EXISTS (SELECT FROM instance WHERE instance.series_key = series.series_key);
        DELETE FROM study WHERE study_key = ANY (before_studies)
            AND NOT EXISTS (SELECT FROM series WHERE series.study_key = study.study_key);
        DELETE FROM gone WHERE path IN (
            SELECT path FROM gone WHERE since < now() - interval '30 days'
            ORDER BY since LIMIT 1000 FOR UPDATE SKIP LOCKED);
    END IF;
END
$$;
