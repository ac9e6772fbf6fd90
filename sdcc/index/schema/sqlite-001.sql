-- The index on SQLite, version 1.
--
-- Three levels, as the standard's Study Root has them. The patient's attributes stand at the Study level, as
-- that study gave them. A column bears the name of the field of sdcc.interfaces that it holds; only the keys
-- have no field: integers for joins, which mean nothing outside this database.
--
-- Text is Unicode, several values joined by a backslash. Dates are 'YYYY-MM-DD', times 'HH:MM:SS[.ffffff]' in
-- the sender's local time. NULL: absent or empty. SQLite's STRICT tables would want 3.37, which not every host
-- of Python 3.11 has, so that CHECK holds the columns to their types.
--
-- Once released, this file is never changed: sqlite-002.sql and so on say what came after it.

CREATE TABLE study (
    study_key                       INTEGER PRIMARY KEY,
    study_instance_uid              TEXT NOT NULL UNIQUE,                           -- (0020,000D)
    patient_id                      TEXT,                                           -- (0010,0020)
    issuer_of_patient_id            TEXT,                                           -- (0010,0021)
    patient_name                    TEXT COLLATE NOCASE,                            -- (0010,0010)
    patient_birth_date              TEXT CHECK (patient_birth_date IS date(patient_birth_date)),  -- (0010,0030)
    patient_sex                     TEXT,                                           -- (0010,0040)
    study_id                        TEXT,                                           -- (0020,0010)
    study_date                      TEXT CHECK (study_date IS date(study_date)),    -- (0008,0020)
    study_time                      TEXT CHECK (substr(study_time, 1, 8) IS time(study_time)),    -- (0008,0030)
    accession_number                TEXT,                                           -- (0008,0050)
    referring_physician_name        TEXT,                                           -- (0008,0090)
    study_description               TEXT                                            -- (0008,1030)
);

CREATE INDEX study_by_patient_id ON study (patient_id);
CREATE INDEX study_by_patient_name ON study (patient_name);
CREATE INDEX study_by_study_date ON study (study_date);
CREATE INDEX study_by_accession_number ON study (accession_number);

-- A broken sender may use one Series Instance UID in two studies: they are two series.
CREATE TABLE series (
    series_key                      INTEGER PRIMARY KEY,
    study_key                       INTEGER NOT NULL REFERENCES study,
    series_instance_uid             TEXT NOT NULL,                                  -- (0020,000E)
    modality                        TEXT,                                           -- (0008,0060)
    series_number                   INTEGER CHECK (typeof(series_number) IN ('integer', 'null')),  -- (0020,0011)
    series_date                     TEXT CHECK (series_date IS date(series_date)),  -- (0008,0021)
    series_time                     TEXT CHECK (substr(series_time, 1, 8) IS time(series_time)),  -- (0008,0031)
    series_description              TEXT,                                           -- (0008,103E)
    body_part_examined              TEXT,                                           -- (0018,0015)
    laterality                      TEXT,                                           -- (0020,0060)
    protocol_name                   TEXT,                                           -- (0018,1030)
    manufacturer                    TEXT,                                           -- (0008,0070)
    manufacturer_model_name         TEXT,                                           -- (0008,1090)
    station_name                    TEXT,                                           -- (0008,1010)
    institution_name                TEXT,                                           -- (0008,0080)
    institutional_department_name   TEXT,                                           -- (0008,1040)
    performing_physician_name       TEXT,                                           -- (0008,1050)
    operators_name                  TEXT,                                           -- (0008,1070)
    frame_of_reference_uid          TEXT,                                           -- (0020,0052)
    UNIQUE (study_key, series_instance_uid)
);

CREATE INDEX series_by_series_instance_uid ON series (series_instance_uid);
CREATE INDEX series_by_modality ON series (modality);

-- One row an object: what its Data Set says, the file that holds it, and who sent it.
CREATE TABLE instance (
    instance_key                    INTEGER PRIMARY KEY,
    series_key                      INTEGER NOT NULL REFERENCES series,
    sop_instance_uid                TEXT NOT NULL UNIQUE,                           -- (0008,0018)
    sop_class_uid                   TEXT NOT NULL,                                  -- (0008,0016)
    instance_number                 INTEGER CHECK (typeof(instance_number) IN ('integer', 'null')),  -- (0020,0013)
    acquisition_date                TEXT CHECK (acquisition_date IS date(acquisition_date)),      -- (0008,0022)
    acquisition_time                TEXT CHECK (substr(acquisition_time, 1, 8) IS time(acquisition_time)),  -- (0008,0032)
    content_date                    TEXT CHECK (content_date IS date(content_date)),              -- (0008,0023)
    content_time                    TEXT CHECK (substr(content_time, 1, 8) IS time(content_time)),  -- (0008,0033)
    image_type                      TEXT,                                           -- (0008,0008)
    number_of_frames                INTEGER CHECK (typeof(number_of_frames) IN ('integer', 'null')),  -- (0028,0008)
    samples_per_pixel               INTEGER CHECK (typeof(samples_per_pixel) IN ('integer', 'null')),  -- (0028,0002)
    photometric_interpretation      TEXT,                                           -- (0028,0004)
    rows                            INTEGER CHECK (typeof(rows) IN ('integer', 'null')),          -- (0028,0010)
    columns                         INTEGER CHECK (typeof(columns) IN ('integer', 'null')),       -- (0028,0011)
    bits_allocated                  INTEGER CHECK (typeof(bits_allocated) IN ('integer', 'null')),  -- (0028,0100)

    path                            TEXT NOT NULL,          -- relative to the storage directory, '/' between its parts
    size                            INTEGER NOT NULL CHECK (typeof(size) = 'integer'),            -- bytes of the file
    data_set_size                   INTEGER NOT NULL CHECK (typeof(data_set_size) = 'integer'),   -- bytes of its Data Set
    sha256                          TEXT NOT NULL CHECK (length(sha256) = 64),      -- of the Data Set, lower case hexadecimal
    transfer_syntax_uid             TEXT NOT NULL,          -- of the Data Set in the file
    received_at                     TEXT NOT NULL           -- UTC, of fixed width, so that order of text is order of time
        CHECK (received_at GLOB '????-??-??T??:??:??.??????Z'),

    calling_ae                      TEXT NOT NULL,
    called_ae                       TEXT NOT NULL,
    calling_address                 TEXT NOT NULL,          -- the calling AE's IP address

    fault                           TEXT                    -- what could not be read of the Data Set; NULL: nothing
);

CREATE INDEX instance_by_series ON instance (series_key);
CREATE INDEX instance_by_received_at ON instance (received_at);
CREATE INDEX instance_faulty_by_received_at ON instance (received_at) WHERE fault IS NOT NULL;
