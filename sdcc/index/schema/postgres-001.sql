-- The index on PostgreSQL, version 1.
--
-- Three levels, as the standard's Study Root has them. The patient's attributes stand at the Study level, as
-- that study gave them. A column bears the name of the field of sdcc.interfaces that it holds; only the keys
-- have no field: integers for joins, which mean nothing outside this database.
--
-- Text is Unicode, several values joined by a backslash. A "time" is the sender's local time. NULL: absent or
-- empty.
--
-- Made where search_path says, in one transaction that holds a lock. Once released, this file is never changed:
-- postgres-002.sql and so on say what came after it.

CREATE TABLE study (
    study_key                       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_instance_uid              text NOT NULL UNIQUE,             -- (0020,000D)
    patient_id                      text,                             -- (0010,0020)
    issuer_of_patient_id            text,                             -- (0010,0021)
    patient_name                    text,                             -- (0010,0010)
    patient_birth_date              date,                             -- (0010,0030)
    patient_sex                     text,                             -- (0010,0040)
    study_id                        text,                             -- (0020,0010)
    study_date                      date,                             -- (0008,0020)
    study_time                      time,                             -- (0008,0030)
    accession_number                text,                             -- (0008,0050)
    referring_physician_name        text,                             -- (0008,0090)
    study_description               text                              -- (0008,1030)
);

-- text_pattern_ops: for LIKE 'prefix%' as well as for =, whatever the database's locale.
CREATE INDEX study_by_patient_id ON study (patient_id text_pattern_ops);
CREATE INDEX study_by_patient_name ON study (lower(patient_name) text_pattern_ops);
CREATE INDEX study_by_study_date ON study (study_date);
CREATE INDEX study_by_accession_number ON study (accession_number text_pattern_ops);

-- A broken sender may use one Series Instance UID in two studies: they are two series.
CREATE TABLE series (
    series_key                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_key                       bigint NOT NULL REFERENCES study,
    series_instance_uid             text NOT NULL,                    -- (0020,000E)
    modality                        text,                             -- (0008,0060)
    series_number                   bigint,                           -- (0020,0011)
    series_date                     date,                             -- (0008,0021)
    series_time                     time,                             -- (0008,0031)
    series_description              text,                             -- (0008,103E)
    body_part_examined              text,                             -- (0018,0015)
    laterality                      text,                             -- (0020,0060)
    protocol_name                   text,                             -- (0018,1030)
    manufacturer                    text,                             -- (0008,0070)
    manufacturer_model_name         text,                             -- (0008,1090)
    station_name                    text,                             -- (0008,1010)
    institution_name                text,                             -- (0008,0080)
    institutional_department_name   text,                             -- (0008,1040)
    performing_physician_name       text,                             -- (0008,1050)
    operators_name                  text,                             -- (0008,1070)
    frame_of_reference_uid          text,                             -- (0020,0052)
    UNIQUE (study_key, series_instance_uid)
);

CREATE INDEX series_by_series_instance_uid ON series (series_instance_uid);
CREATE INDEX series_by_modality ON series (modality);

-- One row an object: what its Data Set says, the file that holds it, and who sent it.
CREATE TABLE instance (
    instance_key                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_key                      bigint NOT NULL REFERENCES series,
    sop_instance_uid                text NOT NULL UNIQUE,             -- (0008,0018)
    sop_class_uid                   text NOT NULL,                    -- (0008,0016)
    instance_number                 bigint,                           -- (0020,0013)
    acquisition_date                date,                             -- (0008,0022)
    acquisition_time                time,                             -- (0008,0032)
    content_date                    date,                             -- (0008,0023)
    content_time                    time,                             -- (0008,0033)
    image_type                      text,                             -- (0008,0008)
    number_of_frames                bigint,                           -- (0028,0008)
    samples_per_pixel               bigint,                           -- (0028,0002)
    photometric_interpretation      text,                             -- (0028,0004)
    rows                            bigint,                           -- (0028,0010)
    columns                         bigint,                           -- (0028,0011)
    bits_allocated                  bigint,                           -- (0028,0100)

    path                            text NOT NULL,          -- relative to the storage directory, '/' between its parts
    size                            bigint NOT NULL,        -- bytes of the file
    data_set_size                   bigint NOT NULL,        -- bytes of its Data Set
    sha256                          text NOT NULL CHECK (length(sha256) = 64),  -- of the Data Set, lower case hexadecimal
    transfer_syntax_uid             text NOT NULL,          -- of the Data Set in the file
    received_at                     timestamptz NOT NULL,

    calling_ae                      text NOT NULL,
    called_ae                       text NOT NULL,
    calling_address                 text NOT NULL,          -- the calling AE's IP address

    fault                           text                    -- what could not be read of the Data Set; NULL: nothing
);

CREATE INDEX instance_by_series ON instance (series_key);
CREATE INDEX instance_by_received_at ON instance (received_at, instance_key);
CREATE INDEX instance_faulty_by_received_at ON instance (received_at, instance_key) WHERE fault IS NOT NULL;

-- Files whose rows are no more, or never were to be. What stands here is never registered again, so that a
-- statement that was given up long ago changes nothing when it is executed after all. Kept for 30 days.
CREATE TABLE gone (
    path                            text PRIMARY KEY,
    successor                       text,                   -- the file that took its place; NULL: it was given up
    since                           timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX gone_by_successor ON gone (successor);
CREATE INDEX gone_by_since ON gone (since);


-- Locks UIDs until the transaction ends. All who lock do so in one order, so that none waits for another in a
-- circle: first SOP Instance UIDs, then Study Instance UIDs, each by their hashes.
--
-- kind: what the UIDs are of; they are hashed differently for each.
CREATE FUNCTION sdcc_lock(kind bigint, uids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    hash bigint;
BEGIN
    FOR hash IN SELECT DISTINCT hashtextextended(uid, kind) FROM unnest(uids) AS uid ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hash);
    END LOOP;
END
$$;


-- Registers a group of objects, each as it is described, a SOP Instance UID once.
--
-- given: the rows of the levels, {"study": […], "series": […], "instance": […]}, a JSON object a row with its
-- columns that are not NULL; those of "series" and "instance" also have the UIDs of the levels above.
--
-- The result: for the objects that took the place of another, SOP Instance UID and the path before. Of a group
-- that is registered already it is the same again, and nothing is changed.
CREATE FUNCTION sdcc_register(given jsonb) RETURNS TABLE (uid text, path_before text) LANGUAGE plpgsql
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
    -- holds all that is given already is not written.
    INSERT INTO study AS old (
        study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex,
        study_id, study_date, study_time, accession_number, referring_physician_name, study_description)
    SELECT
        study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex,
        study_id, study_date, study_time, accession_number, referring_physician_name, study_description
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
        study_description = coalesce(excluded.study_description, old.study_description)
    WHERE NOT to_jsonb(old) @> jsonb_strip_nulls(to_jsonb(excluded) - 'study_key');

    INSERT INTO series AS old (
        study_key, series_instance_uid, modality, series_number, series_date, series_time, series_description,
        body_part_examined, laterality, protocol_name, manufacturer, manufacturer_model_name, station_name,
        institution_name, institutional_department_name, performing_physician_name, operators_name,
        frame_of_reference_uid)
    SELECT
        study.study_key, series_instance_uid, modality, series_number, series_date, series_time, series_description,
        body_part_examined, laterality, protocol_name, manufacturer, manufacturer_model_name, station_name,
        institution_name, institutional_department_name, performing_physician_name, operators_name,
        frame_of_reference_uid
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
        frame_of_reference_uid = coalesce(excluded.frame_of_reference_uid, old.frame_of_reference_uid)
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


-- Says of objects whether they were registered, and sees to it that those that were not never will be.
--
-- doubts: [{"sop_instance_uid": …, "path": …}, …]
--
-- The result: for each path, whether it was registered, and the path that it then took the place of, if any.
CREATE FUNCTION sdcc_settle(doubts jsonb) RETURNS TABLE (path text, is_registered boolean, path_before text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM sdcc_lock(1, ARRAY(SELECT item ->> 'sop_instance_uid' FROM jsonb_array_elements(doubts) AS item));

    INSERT INTO gone (path)
    SELECT doubt.path FROM jsonb_to_recordset(doubts) AS doubt (sop_instance_uid text, path text)
    WHERE NOT EXISTS (
        SELECT FROM instance
        WHERE instance.sop_instance_uid = doubt.sop_instance_uid AND instance.path = doubt.path)
    ON CONFLICT DO NOTHING;

    RETURN QUERY
        SELECT
            doubt.path,
            NOT EXISTS (SELECT FROM gone WHERE gone.path = doubt.path AND successor IS NULL),
            (SELECT gone.path FROM gone WHERE successor = doubt.path)
        FROM jsonb_to_recordset(doubts) AS doubt (path text);
END
$$;
