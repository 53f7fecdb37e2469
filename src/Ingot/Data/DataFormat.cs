namespace Ingot.Data;

/// <summary>What files of training data hold.</summary>
public enum DataFormat
{
    /// <summary>As the file's beginning shows.</summary>
    Auto,

    /// <summary>Running text: files of text, or JSON Lines with a document as "text" each.</summary>
    Text,

    /// <summary>Texts, each an example by itself: lines of a .txt, entries of a JSON array, or lines of JSON Lines.</summary>
    Examples,

    /// <summary>Conversations and prompts with answers.</summary>
    Chat,
}
