namespace Ingot.Tokenizers;

/// <summary>How far training a vocabulary has come.</summary>
/// <param name="Step">What is being done: reading, merging, seeding, pruning.</param>
/// <param name="TextBytes">Bytes of text counted so far.</param>
/// <param name="DistinctWords">Distinct words found; 0 until all text is counted.</param>
/// <param name="VocabularySize">
/// Tokens so far. Merging makes them more, pruning fewer; special tokens and bytes are counted in merging only.
/// </param>
public readonly record struct TokenizerTrainingProgress(string Step, long TextBytes, long DistinctWords, int VocabularySize);
