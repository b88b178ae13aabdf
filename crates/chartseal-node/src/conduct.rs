/// How a node behaves: demonstrations and tests make one fail or lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As it should.
    #[default]
    Honest,
    /// It answers nothing and takes no part.
    Stopped,
    /// As a custodian, it releases shares that are not the ones it was dealt.
    LiesAboutShares,
}
