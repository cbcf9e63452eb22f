//! What settings make of the same files.

use super::*;

#[test]
fn idx_labels_make_the_classes_there_are() {
    let folder = Folder::new();
    for (name, content) in
        IDX_FILES.iter().zip([images(3, 2), labels(&[1, 26, 1]), images(1, 2), labels(&[26])])
    {
        folder.put(&set(name), content);
    }
    let dataset = folder.load(idx()).unwrap();
    assert_eq!(
        (dataset.classes, dataset.labels),
        (vec!["1".into(), "26".into()], vec![0, 1, 0, 1])
    );
}

#[test]
fn white_may_be_another_value_and_dark_images_are_told() {
    let folder = Folder::new();
    folder.put(&set(IDX_FILES[0]), images(2, 2));
    folder.put(&set(IDX_FILES[1]), labels(&[0, 1]));
    let dataset = folder.load(idx()).unwrap();
    assert_eq!(
        dataset.notes[0].text,
        "the brightest pixel of all images is 7 of 255; if white is stored as a smaller value, say \
         so with `dataset.max-value`"
    );
    let settings = DatasetSettings { max_value: Some(7), ..DatasetSettings::of(idx()) };
    let dataset = folder.load_as(&settings).unwrap();
    assert_eq!((dataset.image(1), dataset.notes.len()), ([146, 182, 219, 255].as_slice(), 0));
}

#[test]
fn made_up_images_beyond_the_memory_are_refused() {
    let folder = Folder::new();
    let images = Source::Synthetic { images: 3_000_000, classes: 10 };
    let error = folder.load_at(images, Some(2048)).unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(
        cause.contains("MiB of pixels, more than `dataset.limits.memory-mib` allows"),
        "{cause}"
    );
    let digits = DatasetSettings {
        image_size: Some(2048),
        limits: LimitSettings { memory_mib: 64, ..LimitSettings::default() },
        ..DatasetSettings::of(Source::Digits)
    };
    let hint = folder.load_as(&digits).unwrap_err().hint().unwrap();
    assert!(hint.contains("set `dataset.limits.memory-mib = 7188`"), "{hint}");
}
