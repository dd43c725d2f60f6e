use super::*;

#[test]
fn evidence_of_kinds_adds_up_close_by_and_not_far_apart() {
    let mut near = Hits::default();
    near.add(10, Kind::Override, 0.5);
    near.add(NEIGHBOURHOOD + 10, Kind::Extraction, 0.5);
    assert_eq!(near.score().value, 0.75);
    let mut far = Hits::default();
    far.add(10, Kind::Override, 0.5);
    far.add(NEIGHBOURHOOD * 2 + 10, Kind::Extraction, 0.5);
    assert_eq!(far.score().value, 0.5);
}
