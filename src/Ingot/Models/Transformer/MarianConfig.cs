using System.Text.Json.Nodes;
using Ingot.Graphs;
using Ingot.Graphs.Ops;

namespace Ingot.Models.Transformer;

/// <summary>
/// Marian (Junczys-Dowmunt et al. 2018), the encoder-decoder of the opus-mt models: the original Transformer (Vaswani et al. 2017) with a
/// bias of the logits. Sums of the residual stream are normalised (post-norm). Defaults are those of Hugging Face's MarianConfig.
/// </summary>
/// <remarks>
/// The original's positions alternate sines and cosines, Marian's have all sines first: the same but for the order of the embedding's
/// elements.
/// </remarks>
public sealed record MarianConfig : TransformerConfig
{
    /// <summary>The defaults of MarianConfig.</summary>
    public MarianConfig() => (VocabSize, ActivationFunction, DecoderStart, Padding) = (58101, "gelu", 58100, 58100);

    /// <inheritdoc/>
    public override string ModelType => "marian";

    internal override bool PreNorm => false;

    internal override int FirstPosition => 0;

    /// <summary>final_logits_bias: is added to the logits.</summary>
    public override Tensor HeadBias(Graph graph) => graph.Parameter("final_logits_bias", [1, VocabSize], Initializer.Zeros).View(VocabSize);

    internal override double Frequency(int pair) => Math.Pow(10000, -2.0 * pair / ModelWidth);

    private protected override JsonObject Settings()
    {
        var json = base.Settings();
        json["architectures"] = new JsonArray("MarianMTModel");
        json["decoder_vocab_size"] = VocabSize;
        json["share_encoder_decoder_embeddings"] = true;
        json["static_position_embeddings"] = true;
        json["normalize_before"] = false;
        json["add_final_layer_norm"] = false;
        json["normalize_embedding"] = false;
        return json;
    }

    internal static MarianConfig Read(ConfigKeys keys)
    {
        var config = Read(keys, new MarianConfig());
        keys.Expect("decoder_vocab_size", config.VocabSize);
        keys.Expect("share_encoder_decoder_embeddings", true);
        keys.Expect("static_position_embeddings", true);
        keys.Expect("normalize_before", false);
        keys.Expect("add_final_layer_norm", false);
        keys.Expect("normalize_embedding", false);
        return config;
    }
}
