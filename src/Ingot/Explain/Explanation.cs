namespace Ingot.Explain;

/// <summary>What is explained, and how.</summary>
public sealed record ExplainOptions
{
    /// <summary>
    /// What is to be explained in place of what the model would say: a continuation of the text (decoders), the text that is written
    /// (encoder-decoders), the token behind a mask, or a label. Null for the model's own choice.
    /// </summary>
    public string? Target { get; init; }

    /// <summary>The second text of a pair, for encoders; null for none.</summary>
    public string? TextPair { get; init; }

    /// <summary>Layers whose attention is read; null for all.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>
    /// Numbers of the tokens whose predictions are attributed, counted from 0; for models that write, the number behind the last token is
    /// that of what comes next. Null: that next one, or all of <see cref="Target"/>; of an encoder-decoder everything that was written; of
    /// an encoder what is masked, or the text's label.
    /// </summary>
    public IReadOnlyList<int>? Tokens { get; init; }

    /// <summary>How predictions are attributed.</summary>
    public AttributionMethod Method { get; init; }

    /// <summary>Steps of integrated gradients.</summary>
    public int Steps { get; init; } = 50;

    /// <summary>How many of the likeliest tokens the logit lens keeps.</summary>
    public int TopK { get; init; } = 5;

    /// <summary>Language of the source, for models of several languages.</summary>
    public string? SourceLanguage { get; init; }

    /// <summary>Language of what is written, for models of several languages.</summary>
    public string? TargetLanguage { get; init; }
}

/// <summary>A token with the text that it stands for.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its text; bytes that are no whole character as "\xE4\xBD".</param>
/// <param name="Special">Whether it is a special token, such as &lt;s&gt;.</param>
public readonly record struct ExplainedToken(int Id, string Text, bool Special);

/// <summary>An attributed prediction.</summary>
/// <param name="Token">Number of the token that is predicted; that behind the last is what comes next. 0 for a label of a text.</param>
/// <param name="Text">The predicted token's text, or the label.</param>
/// <param name="Values">How much each token spoke for it.</param>
public sealed record ExplainedPrediction(int Token, string Text, Attribution Values);

/// <summary>What was found out about a model and a text.</summary>
public sealed record Explanation
{
    /// <summary>Name of the model: that of its folder, or its run's.</summary>
    public required string Model { get; init; }

    /// <summary>model_type.</summary>
    public required string ModelType { get; init; }

    /// <summary>What the head is for.</summary>
    public required string Task { get; init; }

    /// <summary>fp32 or bf16.</summary>
    public required string Precision { get; init; }

    /// <summary>The tokens that the model read; of an encoder-decoder those of its decoder, the start token first.</summary>
    public required IReadOnlyList<ExplainedToken> Tokens { get; init; }

    /// <summary>The tokens of the source; null where there is none.</summary>
    public IReadOnlyList<ExplainedToken>? Source { get; init; }

    /// <summary>Tokens from one whose prediction is read to the one that it is about: 1 for models that write, 0 for encoders.</summary>
    public required int Ahead { get; init; }

    /// <summary>Attention of the layers that were wanted.</summary>
    public required IReadOnlyList<AttentionMap> Attention { get; init; }

    /// <summary>
    /// The logit lens, [layers + 1][predictions]: what the first block reads, and what each gives. Empty where the model has no head; one
    /// prediction where a whole text has a label.
    /// </summary>
    public required IReadOnlyList<IReadOnlyList<LensReading>> Lens { get; init; }

    /// <summary>Text of an id that the lens gives: a token's, or a label.</summary>
    public required Func<int, string> TextOf { get; init; }

    /// <summary>Attributed predictions.</summary>
    public required IReadOnlyList<ExplainedPrediction> Predictions { get; init; }

    /// <summary>How they were attributed.</summary>
    public required AttributionMethod Method { get; init; }

    /// <summary>
    /// How what was written is aligned with the source, [tokens, source]: cross-attention with which the prediction after each token was
    /// made, the mean over all heads of the layers read; null where there is no source.
    /// </summary>
    public double[]? Alignment { get; init; }

    /// <summary>What is left out, and why; null for nothing.</summary>
    public string? Note { get; init; }
}
