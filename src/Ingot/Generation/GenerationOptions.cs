namespace Ingot.Generation;

/// <summary>A change of the logit of a sequence's last token, where the others have just been written.</summary>
/// <param name="Ids">The sequence's token ids, one at least.</param>
/// <param name="Bias">What is added; −∞ rules it out.</param>
public sealed record SequenceBias(IReadOnlyList<int> Ids, double Bias);

/// <summary>When beam search with enough finished texts ends.</summary>
public enum EarlyStopping
{
    /// <summary>When the best beam could not be better than the worst finished text, if it ended now.</summary>
    False,

    /// <summary>At once.</summary>
    True,

    /// <summary>When no beam can become better than the worst finished text, however long it gets.</summary>
    Never,
}

/// <summary>How tokens are chosen, under the names of Hugging Face's generation_config.json.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to write.</summary>
    public int MaxNewTokens { get; init; } = 200;

    /// <summary>Most tokens of prompt and text together, in place of <see cref="MaxNewTokens"/>; null for no such limit.</summary>
    public int? MaxLength { get; init; }

    /// <summary>The text does not end before prompt and text have so many tokens together.</summary>
    public int MinLength { get; init; }

    /// <summary>The text does not end before it has so many tokens.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>A prompt longer than the model's context loses its beginning, rather than being refused.</summary>
    public bool TruncatePrompt { get; init; }

    /// <summary>Whether tokens are drawn; otherwise the most likely one is taken.</summary>
    public bool DoSample { get; init; } = true;

    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Draws among the k most likely tokens only; 0 for all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Draws among the most likely tokens that together have this probability; 1 for all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Leaves out tokens less likely than this share of the most likely one; 0 for none.</summary>
    public double MinP { get; init; }

    /// <summary>
    /// Draws among the tokens whose information is nearest to the mean, as far as they together have this probability; 1 for all.
    /// </summary>
    public double TypicalP { get; init; } = 1;

    /// <summary>Leaves out tokens less likely than this; 0 for none.</summary>
    public double EpsilonCutoff { get; init; }

    /// <summary>The same, but less where the distribution is flat: the smaller of it and √it · exp(−entropy); 0 for none.</summary>
    public double EtaCutoff { get; init; }

    /// <summary>
    /// Divides positive logits of tokens of the prompt and of the text, and multiplies negative ones: above 1 repetition is less
    /// likely, below 1 more; 1 changes nothing.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Is taken once from the logits of tokens that were written; the prompt does not count. 0 changes nothing.</summary>
    public double PresencePenalty { get; init; }

    /// <summary>Is taken from a token's logit for each time it was written; the prompt does not count. 0 changes nothing.</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>No sequence of so many tokens comes twice in prompt and text; 0 for no such limit.</summary>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>Sequences of tokens that are not written.</summary>
    public IReadOnlyList<IReadOnlyList<int>> BadWordsIds { get; init; } = [];

    /// <summary>Sequences of tokens that are made more likely or less.</summary>
    public IReadOnlyList<SequenceBias> SequenceBias { get; init; } = [];

    /// <summary>Tokens that are not written.</summary>
    public IReadOnlyList<int> SuppressTokens { get; init; } = [];

    /// <summary>Tokens that are not written first.</summary>
    public IReadOnlyList<int> BeginSuppressTokens { get; init; } = [];

    /// <summary>The token that follows a prompt of one token.</summary>
    public int? ForcedBosTokenId { get; init; }

    /// <summary>What the text of an encoder-decoder begins with, in place of its model's own; it is not written.</summary>
    public int? DecoderStartTokenId { get; init; }

    /// <summary>Code of the source's language, for encoder-decoders between several languages.</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>Code of the language to write, for the same: its token is written first.</summary>
    public string? TargetLanguage { get; init; }

    /// <summary>The tokens of which one is written last, when as many as allowed are written.</summary>
    public IReadOnlyList<int> ForcedEosTokenIds { get; init; } = [];

    /// <summary>
    /// Beam search keeps so many of the most probable texts; 1 for none. It draws nothing: settings of draws do not count.
    /// </summary>
    public int NumBeams { get; init; } = 1;

    /// <summary>Texts of beam search are compared by log-probability / length^this: above 0 longer ones are preferred.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>When beam search ends.</summary>
    public EarlyStopping EarlyStopping { get; init; }

    /// <summary>Makes probabilities of beam search sum to 1 again after penalties and the like.</summary>
    public bool RenormalizeLogits { get; init; }

    /// <summary>Texts for each prompt: with seeds from <see cref="Seed"/> on, or the best ones of beam search.</summary>
    public int NumReturnSequences { get; init; } = 1;

    /// <summary>Ids that end the text; null for those of the model, or else of the tokenizer.</summary>
    public IReadOnlyList<int>? EosTokenIds { get; init; }

    /// <summary>
    /// Strings at which the text ends; they are not written themselves. Token ids from <see cref="Decoder"/> do not heed them.
    /// </summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Seed of the draws; the same seed writes the same text.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Whether the prompt has special tokens, such as one that begins texts, already.</summary>
    internal bool HasSpecialTokens { get; init; }

    /// <summary>
    /// Whether tokens that the decoder read or wrote for the text before, and with which the prompt begins, are not read again. Products
    /// of matrices are cut differently then, so that results differ by rounding from those of a prompt that is read as a whole.
    /// </summary>
    internal bool KeepsRead { get; init; }

    /// <summary>Whether the most likely token is always taken.</summary>
    internal bool IsGreedy => !DoSample || Temperature == 0;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the setting which is out of range.</summary>
    public void Validate()
    {
        Require(MaxNewTokens >= 1, "maxNewTokens", MaxNewTokens, "1 or more");
        Require(MaxLength is null or >= 1, "maxLength", MaxLength!, "1 or more");
        Require(MinLength >= 0, "minLength", MinLength, "0 or more");
        Require(MinNewTokens >= 0, "minNewTokens", MinNewTokens, "0 or more");
        Require(Temperature >= 0 && double.IsFinite(Temperature), "temperature", Temperature, "0 or more");
        Require(TopK >= 0, "topK", TopK, "0 (all) or more");
        Require(TopP is > 0 and <= 1, "topP", TopP, "above 0 and at most 1");
        Require(MinP is >= 0 and < 1, "minP", MinP, "at least 0 and below 1");
        Require(TypicalP is > 0 and <= 1, "typicalP", TypicalP, "above 0 and at most 1");
        Require(EpsilonCutoff is >= 0 and < 1, "epsilonCutoff", EpsilonCutoff, "at least 0 and below 1");
        Require(EtaCutoff is >= 0 and < 1, "etaCutoff", EtaCutoff, "at least 0 and below 1");
        Require(RepetitionPenalty is >= 0.01 and <= 100, "repetitionPenalty", RepetitionPenalty, "from 0.01 to 100, 1 for none");
        Require(PresencePenalty is >= -100 and <= 100, "presencePenalty", PresencePenalty, "from -100 to 100, 0 for none");
        Require(FrequencyPenalty is >= -100 and <= 100, "frequencyPenalty", FrequencyPenalty, "from -100 to 100, 0 for none");
        Require(NoRepeatNgramSize >= 0, "noRepeatNgramSize", NoRepeatNgramSize, "0 (no limit) or more");
        Require(NumBeams is >= 1 and <= 1000, "numBeams", NumBeams, "from 1 (no beam search) to 1000");
        Require(double.IsFinite(LengthPenalty), "lengthPenalty", LengthPenalty, "a finite number");
        Require(NumReturnSequences >= 1, "numReturnSequences", NumReturnSequences, "1 or more");
        Require(NumBeams == 1 || NumReturnSequences <= NumBeams, "numReturnSequences", NumReturnSequences, $"at most numBeams, {NumBeams}");
        Require(NumBeams > 1 || !IsGreedy || NumReturnSequences == 1, "numReturnSequences", NumReturnSequences,
            "1 where the most likely token is always taken, or else all would be the same");
        Require(!BadWordsIds.Any(ids => ids.Count == 0), "badWordsIds", "[]", "sequences of one token or more");
        Require(!SequenceBias.Any(bias => bias.Ids.Count == 0), "sequenceBias", "[]", "for sequences of one token or more");
        Require(!SequenceBias.Any(bias => double.IsNaN(bias.Bias) || double.IsPositiveInfinity(bias.Bias)), "sequenceBias", "not finite",
            "a number, or -infinity");
        Require(!Stop.Any(string.IsNullOrEmpty), "stop", "\"\"", "one character or more");
    }

    /// <summary>The same for a vocabulary: every token id is one of its.</summary>
    internal void Validate(int vocabulary)
    {
        Validate();
        Require(SuppressTokens, "suppressTokens");
        Require(BeginSuppressTokens, "beginSuppressTokens");
        Require(ForcedBosTokenId is { } bos ? [bos] : [], "forcedBosTokenId");
        Require(DecoderStartTokenId is { } start ? [start] : [], "decoderStartTokenId");
        Require(ForcedEosTokenIds, "forcedEosTokenId");
        Require(EosTokenIds ?? [], "eosTokenId");
        foreach (var ids in BadWordsIds)
            Require(ids, "badWordsIds");
        foreach (var bias in SequenceBias)
            Require(bias.Ids, "sequenceBias");

        void Require(IEnumerable<int> ids, string name)
        {
            foreach (var id in ids)
                GenerationOptions.Require(id >= 0 && id < vocabulary, name, id, $"a token id, from 0 to {vocabulary - 1}");
        }
    }

    /// <summary>How many tokens are written at most after a prompt.</summary>
    /// <exception cref="ArgumentException">The prompt alone is too long.</exception>
    internal int NewTokens(int promptLength)
    {
        if (MaxLength is not { } most)
            return MaxNewTokens;
        return most > promptLength ? most - promptLength : throw new ArgumentException(
            $"maxLength is {most}, but the prompt alone has {promptLength} tokens; maxNewTokens counts what is written only");
    }

    /// <summary>A prompt that the model can read.</summary>
    /// <exception cref="ArgumentException">It is empty, or longer than the context and not to be truncated.</exception>
    internal IReadOnlyList<int> Fit(IReadOnlyList<int> prompt, int context)
    {
        if (prompt.Count == 0)
            throw new ArgumentException("the prompt has no token: the model needs one at least to write on from");
        if (prompt.Count <= context)
            return prompt;
        return TruncatePrompt ? [.. prompt.Skip(prompt.Count - context)] : throw new ArgumentException(
            $"the prompt has {prompt.Count} tokens, the model's context {context}: shorten it, or let truncatePrompt drop its beginning");
    }

    private static void Require(bool condition, string name, object value, string range)
    {
        if (!condition)
            throw new ArgumentException($"{name} is {value}; it must be {range}");
    }
}
